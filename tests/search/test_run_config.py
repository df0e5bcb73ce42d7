"""``run.json``: created, written, read again, and read as earlier versions wrote it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from foundation.errors import UserError
from search.evaluators.pretrained import PretrainedEvaluator
from search.options import BudgetOptions, DataOptions, SearchOptions, TrainingOptions
from search.run_config import SHIPPED_ENCODER, SHIPPED_SUPERNET, SHIPPED_TEACHER, RunConfig, read_config, write_config
from segmentation.pretrained.weights import SHIPPED

DEVICE = "simulated"
BUDGETS = BudgetOptions(latency_ms={DEVICE: 2.0})
DATA = DataOptions(source="synthetic:8", size=(64, 64))

OF_115E2DA: dict[str, Any] = {
    "schema_version": 1, "run": "20261125-010203-abcd", "created": "2026-11-25T01:02:03+00:00",
    "command": "latseg search",
    "space": "portrait", "sizes": [[128, 128]], "data": "synthetic:320", "data_size": [128, 128], "data_count": None,
    "resize_masks": False, "classes": ["background", "person"],
    "targets": [{
        "device": "cpu", "threads": 1, "maximum_ms": 2.0, "fingerprint": "0123456789abcdef", "hardware": "a CPU",
        "runtime": "onnxruntime", "runtime_version": "1.22", "simulated": False,
    }],
    "max_parameters": 400000, "trials": 64, "winners": 1, "strategy": "evolution", "near_budget": 9, "seed": 3,
    "effort": {
        "teacher_epochs": 5, "supernet_steps": 160, "winner_epochs": 11, "batch_size": 8, "evaluation_images": 32,
        "training_size": None, "threads": 2,
    },
    "versions": {"python": "3.11"},
}  # fmt: skip


def test_written_and_read_again(tmp_path: Path) -> None:
    config = RunConfig.create(BUDGETS, DATA, TrainingOptions(winner_epochs=3), SearchOptions(seed=4), command="latseg")
    write_config(tmp_path, config)
    assert read_config(tmp_path) == config
    assert (config.command, config.training, config.seed) == ("latseg", TrainingOptions(winner_epochs=3), 4)
    assert config.task_options(tmp_path).training == config.training
    assert config.simulated
    assert config.classes == ("background", "person")
    assert (config.data, config.data_size) == ("synthetic:8", (64, 64))
    assert RunConfig.create(BUDGETS, DATA).run != config.run


def write_pairs(folder: Path) -> None:
    """60 images, and masks with two classes."""
    for part, mode in (("images", "RGB"), ("masks", "L")):
        (folder / part).mkdir()
        for number in range(60):
            picture = Image.new(mode, (16, 16))
            picture.paste("white", (4, 4, 12, 16))
            picture.save(folder / part / f"{number}.png")


def test_every_option_of_the_data_is_kept(tmp_path: Path) -> None:
    write_pairs(tmp_path)
    data = DataOptions(source=f"folder:{tmp_path}", size=(32, 48), count=50, resize_masks=True, hold_out_test=False)
    config = RunConfig.create(BUDGETS, data)
    assert config.task_options(tmp_path).data == data.model_copy(update={"source": config.data})
    assert (config.data_size, config.data_count, config.resize_masks, config.data_test) == ((32, 48), 50, True, False)


def test_threads_and_parameters_come_from_the_budgets() -> None:
    config = RunConfig.create(BudgetOptions(latency_ms={"cpu": 2.0}, parameters=123, threads=2), DATA)
    assert (config.targets[0].threads, config.max_parameters) == (2, 123)


def test_a_pool_is_found_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "boards.txt").write_text("simulated\n")
    monkeypatch.chdir(tmp_path)
    budgets = BudgetOptions(latency_ms={"pool:boards.txt": 2.0}, portable=("pool:boards.txt",))
    write_config(tmp_path, RunConfig.create(budgets, DATA))
    monkeypatch.chdir("/")
    config = read_config(tmp_path)
    (target,) = config.targets
    assert target.open("some-run").info().fingerprint == target.fingerprint
    assert config.portable == (target.device,) == (f"pool:{tmp_path / 'boards.txt'}",)


def test_a_run_of_115e2da_is_read_and_written_with_the_same_keys(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps(OF_115E2DA))
    config = read_config(tmp_path)
    assert config.training.winner_epochs == 11
    assert config.calibration_nets == 9
    assert config.evaluator is None
    write_config(tmp_path, config)
    written = json.loads((tmp_path / "run.json").read_text())
    assert len(written.pop("sha256")) == 64
    later = {"teacher": None, "unlabelled": None, "scene_steps": 0, "pretrained": False, "device": "cpu"}
    effort = {**OF_115E2DA["effort"], **later}
    added = {"evaluator": None, "data_notes": [], "data_test": False, "space_version": 1}
    added |= {"portable": [], "allow_fallback": False, "supernet": None, "curve": []}
    assert written == {**OF_115E2DA, "effort": effort, **added}


def test_new_runs_begin_with_shipped_weights_and_scenes_and_earlier_ones_with_random_weights(tmp_path: Path) -> None:
    write_config(tmp_path, RunConfig.create(BUDGETS, DATA))
    new = read_config(tmp_path).training
    assert new.pretrained
    assert new.scene_steps
    (tmp_path / "run.json").write_text(json.dumps(OF_115E2DA))
    earlier = read_config(tmp_path).training
    assert not earlier.pretrained
    assert not earlier.scene_steps


def test_the_evaluator_of_a_new_search_is_written_down() -> None:
    assert RunConfig.create(BUDGETS, DATA).evaluator == "pretrained"
    assert RunConfig.create(BUDGETS, DATA, search=SearchOptions(evaluator="supernet")).evaluator == "supernet"
    assert RunConfig.create(None, DATA, search=SearchOptions(space="unet", sizes=((64, 64),))).evaluator is None


def test_as_many_trials_as_suit_the_evaluator() -> None:
    def trials(**options: Any) -> int:
        return RunConfig.create(BUDGETS, DATA, search=SearchOptions(**options)).trials

    assert trials() == PretrainedEvaluator.usual_trials > trials(evaluator="regression:nets=4") == 200
    assert trials(trials=7) == trials(trials=7, evaluator="supernet") == 7


def test_the_shipped_weights_of_the_teacher_are_recorded_where_it_begins_with_them() -> None:
    recorded = RunConfig.create(BUDGETS, DATA, TrainingOptions(teacher_epochs=1)).versions[SHIPPED_TEACHER]
    assert recorded == hashlib.sha256((SHIPPED / "teacher.safetensors").read_bytes()).hexdigest()
    for other in (TrainingOptions(teacher_epochs=1, pretrained=False), TrainingOptions()):
        assert SHIPPED_TEACHER not in RunConfig.create(BUDGETS, DATA, other).versions


def test_the_shipped_supernet_is_recorded_where_candidates_begin_with_it() -> None:
    def versions(evaluator: str, **training: Any) -> dict[str, str]:
        search = SearchOptions(evaluator=evaluator)
        return RunConfig.create(BUDGETS, DATA, TrainingOptions(**training), search=search).versions

    expected = hashlib.sha256((SHIPPED / "portrait-supernet.safetensors").read_bytes()).hexdigest()
    assert versions("supernet")[SHIPPED_SUPERNET] == versions("training")[SHIPPED_SUPERNET] == expected
    assert SHIPPED_SUPERNET not in versions("supernet", pretrained=False)
    assert SHIPPED_SUPERNET not in versions("pretrained")


@pytest.mark.parametrize("space", ["auxiliary-cells", "templates"])
def test_the_shipped_encoder_is_recorded_where_candidates_begin_with_it(space: str) -> None:
    def versions(encoder: str, **training: Any) -> dict[str, str]:
        search = SearchOptions(space=f"{space}:encoder={encoder}", evaluator="regression")
        return RunConfig.create(BUDGETS, DATA, TrainingOptions(**training), search=search).versions

    expected = hashlib.sha256((SHIPPED / "small-encoder.safetensors").read_bytes()).hexdigest()
    assert versions("small")[SHIPPED_ENCODER] == expected
    assert SHIPPED_ENCODER not in versions("small", pretrained=False)
    assert SHIPPED_ENCODER not in versions("full")


def test_a_changed_value_is_noticed(tmp_path: Path) -> None:
    write_config(tmp_path, RunConfig.create(BUDGETS, DATA))
    document = json.loads((tmp_path / "run.json").read_text())
    document["targets"][0]["maximum_ms"] = 3.0
    (tmp_path / "run.json").write_text(json.dumps(document))
    with pytest.raises(UserError, match=r"other content than its checksum says.*delete its entry 'sha256'"):
        read_config(tmp_path)
    del document["sha256"]
    (tmp_path / "run.json").write_text(json.dumps(document))
    assert read_config(tmp_path).targets[0].maximum_ms == 3.0


def test_a_run_from_before_calibration_nets_has_none(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({k: v for k, v in OF_115E2DA.items() if k != "near_budget"}))
    assert read_config(tmp_path).calibration_nets == 0


def test_options_of_the_task_follow_from_the_file(tmp_path: Path) -> None:
    changed = {"data_count": 5, "resize_masks": True, "data_test": True}
    (tmp_path / "run.json").write_text(json.dumps(OF_115E2DA | changed))
    options = read_config(tmp_path).task_options(tmp_path)
    assert options.data == DataOptions(source="synthetic:320", size=(128, 128), count=5, resize_masks=True)
    (tmp_path / "run.json").write_text(json.dumps(OF_115E2DA))
    assert not read_config(tmp_path).task_options(tmp_path).data.hold_out_test
    assert (options.training.batch_size, options.seed, options.folder) == (8, 3, tmp_path)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"schema_version": 2}, "upgrade latseg"),
        ({"trials": 0}, "start a new run"),
        ({"effort": {"batch_size": 0}}, "batch size"),
        ({"surprise": 1}, "start a new run"),
    ],
)
def test_damaged_and_newer_files_are_refused(tmp_path: Path, change: dict[str, Any], expected: str) -> None:
    (tmp_path / "run.json").write_text(json.dumps(OF_115E2DA | change))
    with pytest.raises(UserError, match=expected):
        read_config(tmp_path)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(UserError, match="start a new run"):
        read_config(tmp_path)


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ({"strategy": "annealing"}, "strategy"),
        ({"strategy": "evolution:population=1"}, "population"),
        ({"strategy": "random:population=9"}, "population"),
        ({"evaluator": "guess"}, "evaluator"),
        ({"space": "garden"}, "search space"),
        ({"sizes": ((100, 100),)}, "100x100"),
    ],
)
def test_unknown_plug_ins_and_options_are_refused_at_once(search: dict[str, Any], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        RunConfig.create(BUDGETS, DATA, search=SearchOptions(**search))


@pytest.mark.parametrize(
    ("options", "values"),
    [
        (BudgetOptions, {"latency_ms": ()}),
        (BudgetOptions, {"latency_ms": (("cpu", 0.0),)}),
        (BudgetOptions, {"latency_ms": (("cpu", 1.0), ("cpu", 2.0))}),
        (BudgetOptions, {"latency_ms": (("cpu", 1.0),), "parameters": 0}),
        (DataOptions, {"source": "synthetic", "count": 0}),
        (TrainingOptions, {"teacher_epochs": -1}),
        (SearchOptions, {"trials": 0}),
        (SearchOptions, {"colour": "red"}),
    ],
)
def test_values_out_of_range_are_one_line(options: Any, values: dict[str, Any]) -> None:
    with pytest.raises(UserError) as refused:
        options(**values)
    assert "\n" not in str(refused.value)
