"""A search that uses what an earlier run trained for its evaluator."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from devices.model_file import sha256_of
from foundation.errors import UserError
from search.earlier_run import take_preparation, with_preparation_of
from search.evaluators.short_trainings import FILE_NAME, ShortTrainings, write_short_trainings
from search.options import BudgetOptions, DataOptions, SearchOptions, TrainingOptions
from search.run_config import DATA, SHIPPED_ENCODER, SHIPPED_SUPERNET, RunConfig, write_config
from search.run_folder import RunFolder
from search.trials import TrialStore
from tests.search.test_trials import make_trials

REGRESSION = "regression:nets=4,examples=1"
OPTIONS: dict[str, Any] = {
    "data": {"source": "synthetic:8", "size": (64, 64)},
    "training": {"batch_size": 4},
    "search": {"evaluator": REGRESSION, "trials": 3},
    "ms": 2.0,
}


def created(**changes: Any) -> RunConfig:
    chosen = {group: {**values, **changes.get(group, {})} for group, values in OPTIONS.items() if group != "ms"}
    return RunConfig.create(
        BudgetOptions(latency_ms={"simulated": changes.get("ms", OPTIONS["ms"])}),
        DataOptions(**chosen["data"]),
        TrainingOptions(**chosen["training"]),
        SearchOptions(**chosen["search"]),
    )


def written(runs: Path, config: RunConfig, *, trials: int = 1) -> Path:
    """Folder of a run with short trainings and so many trials."""
    folder = runs / config.run
    write_config(folder, config)
    write_short_trainings(folder, ShortTrainings(nets=("{}",), qualities=(0.5,)))
    with TrialStore(RunFolder(folder).trials) as store:
        for trial in make_trials(trials):
            store.add(trial)
    return folder


@pytest.fixture(scope="module")
def earlier() -> RunConfig:
    return created()


def later(earlier: RunConfig, **changes: Any) -> RunConfig:
    search = {"supernet": earlier.run, **changes.pop("search", {})}
    return created(search=search, **changes)


def test_the_files_are_copied_and_the_earlier_run_may_be_deleted(tmp_path: Path, earlier: RunConfig) -> None:
    folder = written(tmp_path, earlier)
    new = with_preparation_of(folder, earlier, later(earlier))
    assert new.versions[f"{FILE_NAME} of {earlier.run}"] == sha256_of(folder / FILE_NAME)
    assert not (tmp_path / new.run).exists()
    take_preparation(new, tmp_path / new.run)
    content = (folder / FILE_NAME).read_bytes()
    assert (tmp_path / new.run / FILE_NAME).read_bytes() == content
    shutil.rmtree(folder)
    take_preparation(new, tmp_path / new.run)
    assert (tmp_path / new.run / FILE_NAME).read_bytes() == content


@pytest.mark.parametrize("change", ["other", "missing"])
def test_a_file_that_is_no_longer_the_same_is_refused(tmp_path: Path, earlier: RunConfig, change: str) -> None:
    folder = written(tmp_path, earlier)
    new = with_preparation_of(folder, earlier, later(earlier))
    if change == "other":
        write_short_trainings(folder, ShortTrainings(nets=("{}",), qualities=(0.6,)))
    else:
        (folder / FILE_NAME).unlink()
    with pytest.raises(UserError, match=rf"--supernet {earlier.run}: got no such {FILE_NAME} any more"):
        take_preparation(new, tmp_path / new.run)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"search": {"sizes": ((128, 128),)}}, r"got sizes none; expected sizes \(\(128, 128\),\)"),
        ({"search": {"space": "portrait:no_resize=true"}}, "got space portrait; expected space portrait:no_resize"),
        ({"data": {"source": "synthetic:12"}}, "got data synthetic:8; expected data synthetic:12"),
        ({"data": {"size": (32, 32)}}, r"got data size \(64, 64\)"),
        ({"data": {"hold_out_test": False}}, "got data test True"),
        ({"search": {"seed": 4}}, "got seed 0; expected seed 4"),
        ({"search": {"evaluator": "regression:nets=5,examples=1"}}, "got evaluator regression:nets=4"),
        ({"search": {"evaluator": "pretrained"}}, "expected evaluator pretrained"),
        ({"training": {"batch_size": 2}}, "got batch size 4; expected batch size 2"),
        ({"training": {"evaluation_images": 2}}, "got evaluation images 48"),
        ({"training": {"pretrained": False}}, "got pretrained True"),
    ],
)
def test_what_would_give_other_estimates_is_refused(
    tmp_path: Path, earlier: RunConfig, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        with_preparation_of(written(tmp_path, earlier), earlier, later(earlier, **changes))


@pytest.mark.parametrize(
    ("space", "key"), [("portrait", SHIPPED_SUPERNET), ("auxiliary-cells:encoder=small", SHIPPED_ENCODER)]
)
def test_short_trainings_from_other_shipped_weights_are_refused(tmp_path: Path, space: str, key: str) -> None:
    before = created(search={"space": space})
    assert key in before.versions
    older = before.model_copy(update={"versions": {**before.versions, key: "0" * 64}})
    with pytest.raises(UserError, match=f"{key} 0000"):
        with_preparation_of(written(tmp_path, older), older, later(older, search={"space": space}))


def test_what_the_estimates_do_not_depend_on_may_differ(tmp_path: Path, earlier: RunConfig) -> None:
    changes: dict[str, Any] = {
        "training": {"winner_epochs": 3, "scene_steps": 0, "threads": 1, "supernet_steps": 9},
        "search": {"strategy": "random", "trials": 9, "winners": 2, "evaluator": "regression:examples=1,nets=4"},
        "ms": 5.0,
    }
    new = with_preparation_of(written(tmp_path, earlier), earlier, later(earlier, **changes))
    assert f"{FILE_NAME} of {earlier.run}" in new.versions


def test_data_with_other_content_are_refused(tmp_path: Path) -> None:
    def write(number: int, colour: tuple[int, int, int]) -> None:
        for part, mode in (("images", "RGB"), ("masks", "L")):
            (tmp_path / part).mkdir(exist_ok=True)
            picture = Image.new(mode, (16, 16))
            picture.paste("white", (4, 4, 12, 16))
            if part == "images":
                picture.putpixel((1, 1), colour)
            picture.save(tmp_path / part / f"{number}.png")

    for number in range(12):
        write(number, (number, 0, 0))
    data = {"source": f"folder:{tmp_path}"}
    before = created(data=data)
    assert len(before.versions[DATA]) == 64
    write(3, (9, 99, 199))
    with pytest.raises(UserError, match=f"got data {before.versions[DATA]}"):
        with_preparation_of(written(tmp_path / "runs", before), before, later(before, data=data))


def test_classes_and_version_of_the_space_must_be_the_same(tmp_path: Path, earlier: RunConfig) -> None:
    folder = written(tmp_path, earlier)
    for change in ({"classes": ("one", "two", "three")}, {"space_version": 1}):
        (name,) = change
        with pytest.raises(UserError, match=f"got {name.replace('_', ' ')} "):
            with_preparation_of(folder, earlier.model_copy(update=change), later(earlier))


def test_a_run_without_a_finished_preparation_is_refused(tmp_path: Path, earlier: RunConfig) -> None:
    folder = written(tmp_path, earlier, trials=0)
    with pytest.raises(UserError, match=f"continue it first: `latseg search --resume {earlier.run}`"):
        with_preparation_of(folder, earlier, later(earlier))
    RunFolder(folder).trials.unlink()
    with pytest.raises(UserError, match="a run that has evaluated no net"):
        with_preparation_of(folder, earlier, later(earlier))


def test_a_run_that_prepares_nothing_is_refused(tmp_path: Path) -> None:
    plain = created(search={"evaluator": "pretrained"})
    assert DATA not in plain.versions
    with pytest.raises(UserError, match="got the evaluator pretrained; expected an evaluator that trains something"):
        with_preparation_of(written(tmp_path, plain), plain, later(plain, search={"evaluator": "pretrained"}))


def test_files_of_other_runs_come_first(tmp_path: Path, earlier: RunConfig) -> None:
    other = written(tmp_path, created())
    take_preparation(earlier, tmp_path / "new", [tmp_path / "nothing", other])
    assert (tmp_path / "new" / FILE_NAME).read_bytes() == (other / FILE_NAME).read_bytes()
    take_preparation(earlier, tmp_path / "alone")
    assert not (tmp_path / "alone").exists()
