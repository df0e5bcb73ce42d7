"""Every setting of a search makes a difference."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.architecture import Architecture
from search.loop import SearchResult
from search.settings import SearchSettings
from tests.search.test_loop import search, toy_budgets
from tests.search.toy import FormulaEvaluator, FormulaPredictor, NoisyDevice, certify

BASE = SearchSettings(trials=48, winners=2, feasibility_samples=30)


def run(folder: Path, settings: SearchSettings) -> SearchResult:
    folder.mkdir()
    device = NoisyDevice(FormulaPredictor())
    return search(folder, toy_budgets(), settings=settings, measure=device.measure, certify=certify)


def test_trials_winners_samples_and_seed(tmp_path: Path) -> None:
    base = run(tmp_path / "base", BASE)
    assert (len(base.trials), len(base.winners), base.feasibility.samples) == (48, 2, 30)
    assert len(run(tmp_path / "trials", BASE.model_copy(update={"trials": 30})).trials) == 30
    assert len(run(tmp_path / "winners", BASE.model_copy(update={"winners": 3})).winners) == 3
    assert run(tmp_path / "samples", BASE.model_copy(update={"feasibility_samples": 40})).feasibility.samples == 40
    assert run(tmp_path / "seed", BASE.model_copy(update={"seed": 1})).trials[1].id != base.trials[1].id


def test_measurements_are_limited(tmp_path: Path) -> None:
    slow = NoisyDevice(FormulaPredictor(ms_per_operator=10.0))
    for limit in (3, 5):
        slow.measured.clear()
        (tmp_path / str(limit)).mkdir()
        settings = BASE.model_copy(update={"measurements": limit})
        search(tmp_path / str(limit), toy_budgets(), settings=settings, measure=slow.measure, certify=certify)
        assert len(slow.measured) == limit


@pytest.mark.parametrize(("reserve", "first"), [(0.0, 48), (0.25, 36), (0.5, 24), (0.9, 12)])
def test_the_reserve_is_evaluated_after_the_first_measurement(tmp_path: Path, reserve: float, first: int) -> None:
    device, evaluator, before = NoisyDevice(FormulaPredictor()), FormulaEvaluator(), []

    def measure(architecture: Architecture) -> object:
        before.append(len(evaluator.asked))
        return device.measure(architecture)

    settings = BASE.model_copy(update={"reserve": reserve})
    search(tmp_path, toy_budgets(), evaluator=evaluator, settings=settings, measure=measure, certify=certify)
    assert before[0] == first
    assert len(evaluator.asked) == 48
