from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from devices.device_info import DeviceInfo
from latency.bounded import BoundedPredictor
from latency.calibration import Calibration
from latency.operators.operator import OperatorGraph
from latency.predictor import LatencyPredictor, Prediction
from latency.predictors.additive.lookup_table import LookupTablePredictor
from latency.sample import LatencySample
from latseg.testing.synthetic import measured
from search.constraints.budgets import Budgets, LatencyBudget, ParameterBudget
from search.loop import run_search
from search.settings import SearchSettings
from search.spaces.portrait.space import PortraitSpace
from search.strategies.registry import make_strategy
from search.trial import REJECTED, DeviceResult, Trial
from search.trials import TrialStore
from search.winners.rejection_feedback import RejectionFeedback
from tests.search.test_loop import search
from tests.search.toy import FormulaEvaluator, FormulaPredictor, NoisyDevice, ToySpace, certify

INFO = DeviceInfo("cpu", "none", "none", "1.0", 1, "float32")
SPACE = PortraitSpace(sizes=((128, 128),))
NETS = SPACE.sample(20, Random(0))


@pytest.fixture(scope="module")
def budgets() -> Budgets:
    samples: list[LatencySample] = measured([SPACE.lower(net) for net in NETS])
    predictor = LookupTablePredictor()
    predictor.fit(samples)
    bounded = BoundedPredictor(predictor, Calibration.of([1.05] * 20), INFO)
    return Budgets(ParameterBudget(400_000), (LatencyBudget("cpu", 2.0, bounded),))


def upper_ms(budgets: Budgets) -> list[float]:
    (budget,) = budgets.latencies
    return [prediction.upper_ms for prediction in budget.predictor.predict([SPACE.lower(net) for net in NETS])]


def trial(position: int, budgets: Budgets) -> Trial:
    predicted = budgets.latencies[0].predictor.predict([SPACE.lower(NETS[position])])[0]
    return Trial(
        architecture=NETS[position],
        generation=0,
        parameters=1000,
        flops=1000,
        predicted_ms={"cpu": predicted.latency_ms},
        upper_ms={"cpu": predicted.upper_ms},
        quality=0.5,
        seconds=0.1,
        created="2026-01-01T00:00:00.000+00:00",
    )


def store_with(tmp_path: Path, budgets: Budgets, *, holds: bool) -> TrialStore:
    store = TrialStore(tmp_path / "trials.sqlite")
    for position in range(3):
        one = trial(position, budgets)
        store.add(one)
        slow_ms = 1.4 * one.predicted_ms["cpu"]
        store.add_results(one, [DeviceResult("cpu", slow_ms, (slow_ms, slow_ms), holds=holds)])
    return store


def test_a_resumed_search_repeats_its_recalibrations(budgets: Budgets, tmp_path: Path) -> None:
    with store_with(tmp_path, budgets, holds=False) as store:
        resumed = RejectionFeedback(SPACE, budgets).replay(store)
    assert all(now > before for now, before in zip(upper_ms(resumed), upper_ms(budgets), strict=True))


class Optimist(LatencyPredictor):
    """Predicts 85 % of the truth."""

    name = "optimist"

    def fit(self, samples: Sequence[LatencySample], *, seed: int = 0) -> None:
        raise NotImplementedError

    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Prediction]:
        times = [0.85 * FormulaPredictor().true_ms(graph) for graph in graphs]
        return [Prediction(ms, (ms,), 0.0, ()) for ms in times]

    def save(self, folder: Path) -> None:
        raise NotImplementedError

    @classmethod
    def load(cls, folder: Path) -> LatencyPredictor:
        raise NotImplementedError


def test_after_a_rejection_the_whole_search_uses_the_wider_bound(tmp_path: Path) -> None:
    predictor = BoundedPredictor(Optimist(), Calibration.of([1.02] * 20), INFO)
    before = Budgets(None, (LatencyBudget("toy", 3.0, predictor),))
    device, feedback = NoisyDevice(FormulaPredictor()), RejectionFeedback(ToySpace(), before)
    options = {"measure": device.measure, "certify": certify, "recalibrate": feedback}
    result = search(tmp_path, before, **options)
    rejected = [trial for trial in result.trials if trial.status == REJECTED]
    assert 1 <= len(rejected) <= 3, "few rejections are enough"
    assert len(result.winners) == 3
    widened = max(trial.measured_ms["toy"] / trial.predicted_ms["toy"] for trial in rejected)
    assert widened > 1.1
    for trial in result.trials:
        assert trial.upper_ms["toy"] == pytest.approx(widened * trial.predicted_ms["toy"])


def test_the_strategy_receives_the_recalibrated_budgets(tmp_path: Path) -> None:
    predictor = BoundedPredictor(Optimist(), Calibration.of([1.02] * 20), INFO)
    before = Budgets(None, (LatencyBudget("toy", 3.0, predictor),))
    device, feedback = NoisyDevice(FormulaPredictor()), RejectionFeedback(ToySpace(), before)
    strategy = make_strategy("evolution:population=12", ToySpace(), before)
    with TrialStore(tmp_path / "trials.sqlite") as store:
        run_search(
            ToySpace(),
            before,
            FormulaEvaluator(),
            strategy,
            store,
            SearchSettings(trials=60, feasibility_samples=60),
            measure=device.measure,
            certify=certify,
            recalibrate=feedback,
        )
    assert feedback.budgets != before
    assert strategy.budgets is feedback.budgets


def test_a_predictor_that_cannot_be_recalibrated_still_ends_with_the_safest_net(tmp_path: Path) -> None:
    """Its bounds are half of the truth: of the best trials none holds."""
    device = NoisyDevice(FormulaPredictor(), noise=0.01)
    smallest = ToySpace().smallest()[0]
    limit = 1.1 * device.true_ms(smallest)
    before = Budgets(None, (LatencyBudget("toy", limit, FormulaPredictor(ms_per_mflop=0.001, ms_per_operator=0.0)),))
    feedback = RejectionFeedback(ToySpace(), before)
    options = {"measure": device.measure, "certify": certify, "recalibrate": feedback}
    result = search(tmp_path, before, **options)
    assert [trial.architecture for trial in result.winners] == [smallest]
    assert len(device.measured) <= 24


def test_winners_that_held_change_nothing(budgets: Budgets, tmp_path: Path) -> None:
    with store_with(tmp_path, budgets, holds=True) as store:
        assert upper_ms(RejectionFeedback(SPACE, budgets).replay(store)) == upper_ms(budgets)
