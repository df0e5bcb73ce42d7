"""Searches and trainings as trackers see them."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import latseg
from foundation.errors import UserError
from foundation.progress import Progress
from latseg.followers import trackers
from latseg.options import followed_words
from latseg.tensorboard import TensorBoardTracker
from latseg.tracking import tracked
from latseg.weights_and_biases import WandbTracker
from search.options import TrainingOptions
from search.progress import SearchProgress
from search.run_config import RunConfig
from search.run_context import RunContext
from search.trial import DeviceResult
from tests.latseg.conftest import DEVICE
from tests.latseg.test_cli import say
from tests.latseg.test_tensorboard import TRAIN, curves, moment
from tests.latseg.test_wiring import SEARCH, StopError, without_work
from tests.search.test_trials import make_trials

__all__ = ["without_work"]

Calls = list[tuple[Any, ...]]


class StandIn(ModuleType):
    """Records what is asked of the package wandb."""

    class Error(Exception):
        """As in the package."""

    def __init__(self) -> None:
        super().__init__("wandb")
        self.calls: Calls = []
        self.fails = False

    def init(self, **options: Any) -> Run:
        if self.fails:
            raise self.Error("not logged in")
        self.calls.append(("init", options))
        return Run(options["name"], self.calls)


class Run:
    def __init__(self, name: str, calls: Calls) -> None:
        self.name, self.calls = name, calls

    def log(self, values: dict[str, float], step: int) -> None:
        self.calls.append(("log", self.name, values, step))

    def finish(self) -> None:
        self.calls.append(("finish", self.name))


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    stand_in = StandIn()
    monkeypatch.setitem(sys.modules, "wandb", stand_in)
    return stand_in


def search_moments() -> list[Progress]:
    """Two trials with a training between them, and the measurement of the first one."""
    first, second = make_trials(2)
    measured = replace(first, results=(DeviceResult("a", 1.0, None, holds=True),))
    return [
        SearchProgress("search", 1, 2, best_quality=0.5, trial=first),
        moment(7, 0.25, stage="short training"),
        SearchProgress("search", 2, 2, best_quality=0.51, trial=second),
        SearchProgress("winners", 1, 2, best_quality=0.51, trial=measured),
    ]


def test_trials_are_curves_in_tensorboard(tmp_path: Path) -> None:
    told: list[Progress] = []
    with tracked(lambda: TensorBoardTracker(tmp_path), {}, told.append) as report:
        for one in search_moments():
            report(one)
    assert told == search_moments()
    assert {path.name for path in tmp_path.iterdir()} == {"search", "short training"}
    found = curves(tmp_path / "search")
    per_device = {f"{kind}_ms/{device}" for kind in ("predicted", "bound") for device in "ab"}
    assert set(found) == {"quality", "best_quality", "parameters"} | per_device
    assert all([step for step, _ in curve] == [1, 2] for curve in found.values())
    assert [value for _, value in found["parameters"]] == [100, 101]
    assert [value for _, value in found["best_quality"]] == pytest.approx([0.5, 0.51])
    assert [value for _, value in found["bound_ms/b"]] == [3.0, 3.0]
    assert len(list((tmp_path / "search").iterdir())) == 1, "the training between them ends no series"


def test_a_resumed_search_replaces_nothing_before_it(tmp_path: Path) -> None:
    for one in search_moments():
        with tracked(lambda: TensorBoardTracker(tmp_path), {}, lambda _: None) as report:
            report(one)
    assert [step for step, _ in curves(tmp_path / "search")["quality"]] == [1, 2]


def test_wandb_receives_a_run_for_the_trials_and_one_for_each_training(wandb: StandIn) -> None:
    with tracked(lambda: WandbTracker("nets", "RUN"), {"seed": 3}, lambda _: None) as report:
        for one in search_moments():
            report(one)
    shared = {"project": "nets", "group": "RUN", "resume": "allow", "reinit": "create_new", "config": {"seed": 3}}
    trial = {"predicted_ms/a": 1.5, "predicted_ms/b": 2.5, "bound_ms/a": 2.0, "bound_ms/b": 3.0}
    assert wandb.calls == [
        ("init", {**shared, "name": "search", "id": "RUN-search"}),
        ("log", "search", {"quality": 0.5, "best_quality": 0.5, "parameters": 100, **trial}, 1),
        ("init", {**shared, "name": "short training", "id": "RUN-short_training"}),
        ("log", "short training", {"loss": 0.25}, 7),
        ("log", "search", {"quality": 0.51, "best_quality": 0.51, "parameters": 101, **trial}, 2),
        ("finish", "search"),
        ("finish", "short training"),
    ]


def test_wandb_that_refuses_is_one_line(wandb: StandIn) -> None:
    wandb.fails = True
    tracker = tracked(lambda: WandbTracker("nets", "RUN"), {}, lambda _: None)
    with pytest.raises(UserError, match=r"Weights & Biases: got not logged in; .*`wandb login`"), tracker as report:
        report(moment(1, 0.5))


def test_without_wandb_the_error_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    code, _, err = say(capsys, "--workspace", str(tmp_path / "w"), *TRAIN, "--wandb", "nets")
    assert code == 2
    assert 'run pip install "latseg[wandb]"' in err
    assert not list(tmp_path.glob("w/runs/*")), "nothing was begun"


@pytest.mark.usefixtures("without_work")
def test_a_search_is_followed_from_every_door(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wandb: StandIn
) -> None:
    def launch(context: RunContext, *_: object, **__: object) -> None:
        context.on_progress(search_moments()[1])
        raise StopError

    monkeypatch.setattr("search.launch.launch", launch)
    workspace, storage = latseg.Workspace(tmp_path / "w"), f"sqlite:///{tmp_path / 'optuna.db'}"
    followed = ("--wandb", "nets", "--optuna-storage", storage)

    def started(*words: str) -> dict[str, Any]:
        wandb.calls.clear()
        (tmp_path / "optuna.db").unlink(missing_ok=True)
        assert say(capsys, "--workspace", str(workspace.path), *words, *followed)[0] == StopError.exit_code
        return followed_by(wandb, tmp_path)

    first = started(*SEARCH)
    assert first["config"]["run"] == first["group"] == workspace.runs[0]
    assert started("search", "--resume", first["group"])["group"] == first["group"]
    wandb.calls.clear()
    (tmp_path / "optuna.db").unlink()
    with pytest.raises(StopError):
        workspace.search(budgets={DEVICE: "2ms"}, data="synthetic:12", wandb="nets", optuna_storage=storage)
    followed_by(wandb, tmp_path)
    wandb.calls.clear()
    (tmp_path / "optuna.db").unlink()
    with pytest.raises(StopError):
        workspace.curve(DEVICE, ["2ms", "1ms"], data="synthetic:12", wandb="nets", optuna_storage=storage)
    assert followed_by(wandb, tmp_path)["group"].endswith("-2ms")


def followed_by(wandb: StandIn, folder: Path) -> dict[str, Any]:
    """What wandb was told of the run; the storage has a study."""
    assert [call[0] for call in wandb.calls] == ["init", "log", "finish"]
    options: dict[str, Any] = wandb.calls[0][1]
    assert options["project"] == "nets"
    assert options["group"].encode() in (folder / "optuna.db").read_bytes()
    return options


@pytest.mark.usefixtures("without_work", "wandb")
def test_the_command_that_continues_is_followed_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for replaced in ("search.launch.launch", "search.winners.training.train_net"):
        monkeypatch.setattr(replaced, interrupt)
    storage = f"sqlite:///{tmp_path / 'optuna.db'}"
    for command, words in ((SEARCH, ("--wandb", "nets", "--optuna-storage", storage)), (TRAIN, ("--wandb", "nets"))):
        _, _, err = say(capsys, "--workspace", str(tmp_path / "w"), *command, *words)
        assert err.splitlines()[-1].endswith(" " + " ".join(words))


def test_places_of_data_are_not_logged(wandb: StandIn, tmp_path: Path) -> None:
    config = RunConfig.model_construct(
        run="RUN", command=f"latseg search --data folder:{tmp_path}", data=f"folder:{tmp_path}", data_notes=(),
        training=TrainingOptions(), targets=(), classes=("a",), seed=3,
    )  # fmt: skip
    (follow,) = trackers(config, None, "nets")
    with follow(lambda _: None) as report:
        report(moment(1, 0.5))
    logged = wandb.calls[0][1]["config"]
    assert logged["data"] == f"folder:{tmp_path.name}"
    assert logged["seed"] == 3
    assert str(tmp_path) not in str(logged)


def test_the_command_that_continues_shows_no_password() -> None:
    shown = followed_words(None, None, "postgresql://me:secret@host/trials")
    assert shown == ["--optuna-storage", "postgresql://me:***@host/trials"]
    for url in ("sqlite:///trials.db", "postgresql://me@host/trials"):
        assert followed_words(None, None, url) == ["--optuna-storage", url]
