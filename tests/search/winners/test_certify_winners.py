"""How long a search measures winners: until enough are certified, or its trials or measurements are spent."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices.measurement import Measurement
from search.architecture import Architecture
from search.loop import SearchResult
from search.settings import SearchSettings
from search.trial import CERTIFIED
from tests.search.test_loop import OPTIMIST, SPACE, TRUTH, FormulaEvaluator, search, toy_budgets
from tests.search.toy import FormulaPredictor, NoisyDevice, certify

BLIND = FormulaPredictor(ms_per_mflop=0.001, ms_per_operator=0.0)
"""Sees no difference between nets: which of them can be certified only measurements tell."""


def settings(**values: float) -> SearchSettings:
    return SearchSettings.model_validate({"trials": 60, "winners": 3, "feasibility_samples": 30} | values)


class Counting(NoisyDevice):
    """A device that notes how many nets had been evaluated at each measurement."""

    def __init__(self, evaluator: FormulaEvaluator, **options: float) -> None:
        super().__init__(TRUTH, **options)  # type: ignore[arg-type]
        self.evaluator = evaluator
        self.evaluated: list[int] = []

    def measure(self, architecture: Architecture) -> dict[str, Measurement]:
        self.evaluated.append(len(self.evaluator.asked))
        return super().measure(architecture)


def test_as_long_as_winners_are_missing_each_further_generation_is_measured(tmp_path: Path) -> None:
    evaluator = FormulaEvaluator()
    device = Counting(evaluator)
    # Enough measurements for the whole search: as long as trials are left, half of them may be used.
    search(
        tmp_path,
        toy_budgets(FormulaPredictor(bias=0.5)),
        evaluator=evaluator,
        settings=settings(measurements=120, reserve=0.6),
        measure=device.measure,
        certify=lambda *_: False,
    )
    assert sorted(set(device.evaluated)) == [24, 36, 48, 60]


def test_with_all_winners_certified_it_measures_again_only_at_the_end(tmp_path: Path) -> None:
    evaluator = FormulaEvaluator()
    device = Counting(evaluator)
    chosen = settings(reserve=0.6)
    result = search(
        tmp_path, toy_budgets(), evaluator=evaluator, settings=chosen, measure=device.measure, certify=certify
    )
    assert device.evaluated[:3] == [24] * 3
    assert set(device.evaluated) <= {24, 60}
    assert result.message.startswith("3 of 3 winners certified")


def nets_by_latency(result: SearchResult) -> list[Architecture]:
    return sorted((trial.architecture for trial in result.trials), key=lambda one: TRUTH.true_ms(SPACE.lower(one)))


@pytest.mark.parametrize(("measurements", "why"), [(9, "the limit of 9 measured nets"), (200, "all 30 trials")])
def test_what_was_reached_is_said_where_winners_are_missing(tmp_path: Path, measurements: int, why: str) -> None:
    """Only the two fastest nets of the trials can be certified, and the predictor does not know which they are."""
    chosen = settings(trials=30, measurements=measurements)
    fastest = nets_by_latency(search(tmp_path, toy_budgets(BLIND, ms=9.0), settings=chosen))[:2]
    device = NoisyDevice(TRUTH)
    result = search(
        tmp_path,
        toy_budgets(BLIND, ms=9.0),
        settings=chosen,
        measure=device.measure,
        certify=lambda measurement, *_: measurement.label in {net.id for net in fastest},
    )
    assert len(device.measured) == min(measurements, 30)
    assert all(trial.status == CERTIFIED for trial in result.winners)
    if measurements == 200:
        assert {trial.architecture for trial in result.winners} == set(fastest)
        assert result.message.startswith("2 of 3 winners certified, 30 nets measured")
    assert why in result.message


def test_missing_winners_are_sought_among_the_safest_nets(tmp_path: Path) -> None:
    """After the first rejection no trial keeps the recalibrated bound, but some of them are fast enough."""
    device = NoisyDevice(TRUTH)
    strict = toy_budgets(FormulaPredictor(slack=100.0))
    chosen = settings(winners=2)
    result = search(
        tmp_path,
        toy_budgets(OPTIMIST),
        settings=chosen,
        measure=device.measure,
        certify=certify,
        recalibrate=lambda *_: strict,
    )
    assert len(result.winners) == 2
    assert "; 2 of 2 winners certified" in result.message
    assert result.message.startswith(f"no new candidate keeps the budgets after {len(result.trials)} trials")
    assert len(result.trials) < chosen.trials


class _Interrupted(FormulaEvaluator):
    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def quality(self, architectures):  # type: ignore[no-untyped-def]
        if len(self.asked) == self.after:
            raise KeyboardInterrupt
        return super().quality(architectures)


@pytest.mark.parametrize("after", [25, 40, 55])
def test_interrupted_among_the_last_trials_the_same_nets_are_measured(tmp_path: Path, after: int) -> None:
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    chosen = settings(reserve=0.6, winners=40, measurements=200)
    # Half of the first finalists are rejected; under the bound that follows there are too few winners all along.
    hopeful = toy_budgets(FormulaPredictor(bias=0.7))
    strict = toy_budgets(FormulaPredictor(bias=0.7, slack=1.6))

    def run(folder: str, device: NoisyDevice, evaluator: FormulaEvaluator) -> SearchResult:
        return search(
            tmp_path / folder,
            strict if device.measured else hopeful,
            evaluator=evaluator,
            settings=chosen,
            measure=device.measure,
            certify=certify,
            recalibrate=lambda *_: strict,
        )

    whole, parts = NoisyDevice(TRUTH, noise=0.0), NoisyDevice(TRUTH, noise=0.0)
    expected = run("whole", whole, FormulaEvaluator())
    with pytest.raises(KeyboardInterrupt):
        run("parts", parts, _Interrupted(after))
    assert parts.measured
    assert len(parts.measured) < len(whole.measured) - 3
    resumed = run("parts", parts, FormulaEvaluator())
    assert parts.measured == whole.measured
    assert [trial.id for trial in resumed.trials] == [trial.id for trial in expected.trials]
    assert [trial.id for trial in resumed.winners] == [trial.id for trial in expected.winners]
