"""Trials as Optuna reads them back from a storage."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from foundation.errors import UserError
from foundation.progress import Progress
from search.optuna_mirror import mirrored
from search.optuna_package import quiet_optuna
from search.progress import SearchProgress
from search.run_config import RunConfig
from search.run_folder import RunFolder
from search.spaces.registry import SPACES
from search.trial import DeviceResult, Trial
from search.trials import TrialStore
from tests.latseg.test_search_section import TARGET
from tests.search.test_trials import make_trials

RUN = "20260101-000000-abcd"
CONFIG = RunConfig.model_construct(
    run=RUN, space="toy", classes=("a", "b"), sizes=None, targets=(TARGET, TARGET.model_copy(update={"device": "b"}))
)
HOLDS = (DeviceResult("a", 1.4, (1.3, 1.5), holds=True), DeviceResult("b", 1.4, (1.3, 1.5), holds=True))


@pytest.fixture(autouse=True)
def toy_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SPACES.__dict__, "targets", {"toy": "tests.search.toy:ToySpace"})


class Mirror:
    """Mirrors moments into a database of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = RunFolder(folder)
        self.url = f"sqlite:///{folder / 'optuna.db'}"
        self.warnings: list[str] = []

    def run(self, *trials: Trial, before: Callable[[Trial], None] = lambda _: None) -> list[Progress]:
        """Returns what was passed on."""
        told: list[Progress] = []
        with mirrored(self.url, CONFIG, self.folder, self.warnings.append, told.append) as report:
            for number, trial in enumerate(trials):
                before(trial)
                report(SearchProgress("search", number, len(trials), trial=trial))
        return told

    def study(self) -> tuple[list[optuna.trial.FrozenTrial], dict[str, Any], list[str]]:
        """Trials, user attributes and names of the values."""
        storage = optuna.storages.RDBStorage(self.url)
        with quiet_optuna():
            study = optuna.load_study(study_name=RUN, storage=storage)
            found = study.trials, study.user_attrs, study.metric_names
        storage.remove_session()
        storage.engine.dispose()
        assert found[2] is not None
        return found[0], found[1], found[2]


def ids(trials: Sequence[optuna.trial.FrozenTrial]) -> list[str]:
    return [trial.user_attrs["id"] for trial in trials]


def test_every_trial_comes_back_with_its_slots_values_and_attributes(tmp_path: Path) -> None:
    mirror, trials = Mirror(tmp_path), make_trials(3)
    told = mirror.run(*trials)
    assert [moment.done for moment in told] == [0, 1, 2]
    found, attributes, names = mirror.study()
    assert names == ["quality", "bound / budget", "parameters"]
    assert attributes == {}
    for trial, one in zip(trials, found, strict=True):
        assert one.params == dict(trial.architecture.choices)
        assert one.values == [trial.quality, pytest.approx(3.0 / TARGET.maximum_ms), trial.parameters]
        assert one.user_attrs == {
            "id": trial.id, "generation": trial.generation, "status": "evaluated", "parameters": trial.parameters,
            "flops": trial.flops, "predicted_ms a": 1.5, "predicted_ms b": 2.5, "bound_ms a": 2.0, "bound_ms b": 3.0,
        }  # fmt: skip


def test_measured_trials_are_marked_and_appear_once(tmp_path: Path) -> None:
    mirror, (first, second, third) = Mirror(tmp_path), make_trials(3)
    refused = replace(HOLDS[0], holds=False)
    mirror.run(first, second, third, replace(second, results=HOLDS), replace(third, results=(refused,)))
    found, attributes, _ = mirror.study()
    assert ids(found) == [first.id, second.id, third.id]
    assert attributes["measured"] == {second.id: "certified", third.id: "rejected:measured"}


def test_resuming_adds_only_the_missing_ones(tmp_path: Path) -> None:
    mirror, trials = Mirror(tmp_path), make_trials(4)
    mirror.run(*trials[:2], replace(trials[0], results=HOLDS))
    with TrialStore(mirror.folder.trials) as store:
        for trial in trials[:3]:
            store.add(trial)
        store.add_results(trials[1], HOLDS)
    mirror.run(trials[3])
    mirror.run()
    found, attributes, _ = mirror.study()
    assert ids(found) == [trial.id for trial in trials]
    assert attributes["measured"] == {trials[0].id: "certified", trials[1].id: "certified"}


def test_a_trial_that_somebody_else_added_is_left_alone(tmp_path: Path) -> None:
    mirror, (first, second) = Mirror(tmp_path), make_trials(2)
    mirror.run(first)
    with quiet_optuna():
        study = optuna.load_study(study_name=RUN, storage=mirror.url)
        study.add_trial(optuna.trial.create_trial(values=[0.5, 1.0, 100]))
    mirror.run(second)
    assert mirror.warnings == []
    assert [trial.user_attrs.get("id") for trial in mirror.study()[0]] == [first.id, None, second.id]


def test_a_failure_later_warns_once_and_the_search_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror, trials = Mirror(tmp_path), make_trials(4)

    def fail(*_: object) -> None:
        raise OSError(28, "no space left on device")

    def break_at_second(trial: Trial) -> None:
        if trial is trials[1]:
            monkeypatch.setattr("optuna.study.Study.add_trials", fail)

    assert len(mirror.run(*trials, before=break_at_second)) == 4
    (warning,) = mirror.warnings
    assert "no space left on device" in warning
    monkeypatch.undo()
    assert ids(mirror.study()[0]) == [trials[0].id]


@pytest.mark.parametrize("url", ["trials.db", "sqlite:////no/such/folder/trials.db", "nodatabase://x"])
def test_a_storage_that_cannot_be_written_is_one_line(tmp_path: Path, url: str) -> None:
    mirror = Mirror(tmp_path)
    mirror.url = url
    with pytest.raises(UserError, match=r"--optuna-storage: got .*sqlite:///trials\.db") as caught:
        mirror.run()
    assert "\n" not in str(caught.value)


def test_without_optuna_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=r'pip install "latseg\[optuna\]"'):
        Mirror(tmp_path).run()
