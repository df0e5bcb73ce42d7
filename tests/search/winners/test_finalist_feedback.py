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
from search.architecture import Architecture
from search.constraints.budgets import Budgets, LatencyBudget, ParameterBudget
from search.loop import SearchResult, run_search
from search.settings import SearchSettings
from search.spaces.portrait.space import PortraitSpace
from search.strategies.registry import make_strategy
from search.trial import REJECTED, DeviceResult, Trial
from search.trials import TrialStore
from search.winners.finalist_feedback import FinalistFeedback
from search.winners.selection import Measurements
from tests.search.test_loop import search
from tests.search.toy import FormulaEvaluator, FormulaPredictor, NoisyDevice, ToySpace, certify
from tests.search.winners.test_certify_winners import Counting

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


def store_with(tmp_path: Path, budgets: Budgets, ratios: Sequence[float]) -> TrialStore:
    store = TrialStore(tmp_path / "trials.sqlite")
    for position, ratio in enumerate(ratios):
        one = trial(position, budgets)
        store.add(one)
        measured_ms = ratio * one.predicted_ms["cpu"]
        store.add_results(one, [DeviceResult("cpu", measured_ms, (measured_ms, measured_ms), holds=ratio < 1.1)])
    return store


@pytest.mark.parametrize(
    ("ratios", "factor"),
    [
        ([], 1.05),
        ([1.02] * 3, 1.05),
        ([1.04, 1.4, 1.04], 1.4),
        ([0.95] * 8, 1.05),
        ([0.95] * 9, 0.95),
        ([1.2, *[0.95] * 9], 1.2),
    ],
)
def test_a_resumed_search_repeats_its_recalibrations(
    budgets: Budgets, tmp_path: Path, ratios: list[float], factor: float
) -> None:
    with store_with(tmp_path, budgets, ratios) as store:
        resumed = FinalistFeedback(SPACE, budgets)(store.measured_trials())
    expected = [factor / 1.05 * before for before in upper_ms(budgets)]
    assert upper_ms(resumed) == pytest.approx(expected)


class Optimist(LatencyPredictor):
    """Predicts 85 % of the truth, or another share."""

    name = "optimist"

    def __init__(self, share: float = 0.85) -> None:
        self.share = share

    def fit(self, samples: Sequence[LatencySample], *, seed: int = 0) -> None:
        raise NotImplementedError

    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Prediction]:
        times = [self.share * FormulaPredictor().true_ms(graph) for graph in graphs]
        return [Prediction(ms, (ms,), 0.0, ()) for ms in times]

    def save(self, folder: Path) -> None:
        raise NotImplementedError

    @classmethod
    def load(cls, folder: Path) -> LatencyPredictor:
        raise NotImplementedError


def test_the_whole_search_uses_the_bound_of_its_finalists(tmp_path: Path) -> None:
    predictor = BoundedPredictor(Optimist(), Calibration.of([1.02] * 20), INFO)
    before = Budgets(None, (LatencyBudget("toy", 3.0, predictor),))
    device, feedback = NoisyDevice(FormulaPredictor()), FinalistFeedback(ToySpace(), before)
    options = {"measure": device.measure, "certify": certify, "recalibrate": feedback}
    result = search(tmp_path, before, **options)
    rejected = [trial for trial in result.trials if trial.status == REJECTED]
    assert len(rejected) <= 3, "few measurements are enough"
    assert len(result.winners) == 3
    measured = [trial for trial in result.trials if trial.measured_ms]
    widened = max(trial.measured_ms["toy"] / trial.predicted_ms["toy"] for trial in measured)
    assert widened > 1.1
    assert 9 <= len(measured) < 19, "of fewer than 19 the largest ratio is the quantile"
    assert result.bounds == {"toy": feedback.budgets.latencies[0].predictor.calibration.statement}
    assert f"on {len(measured)} measured candidates" in result.bounds["toy"]
    for trial in result.trials:
        assert trial.upper_ms["toy"] == pytest.approx(widened * trial.predicted_ms["toy"])


def test_where_finalists_are_faster_than_predicted_the_rest_of_the_search_uses_more_of_the_budget(
    tmp_path: Path,
) -> None:
    predictor = BoundedPredictor(Optimist(1.2), Calibration.of([1.02] * 20), INFO)
    before = Budgets(None, (LatencyBudget("toy", 1.0, predictor),))
    slowest, best = {}, {}
    for name, feedback in (("with", FinalistFeedback(ToySpace(), before)), ("without", None)):
        (tmp_path / name).mkdir()
        device = NoisyDevice(FormulaPredictor(), noise=0.005)
        options = {"measure": device.measure, "certify": certify, "recalibrate": feedback}
        chosen = SearchSettings(trials=60, feasibility_samples=60, reserve=0.4)
        result = search(tmp_path / name, before, settings=chosen, **options)
        slowest[name] = max(trial.measured_ms["toy"] for trial in result.winners)
        best[name] = result.winners[0].quality
    assert slowest["without"] < 1.0 / 1.2 < slowest["with"] <= 1.0
    assert best["with"] > best["without"]


@pytest.mark.parametrize(
    ("alpha", "winners", "first"), [(0.1, 1, 9), (0.1, 3, 9), (0.2, 3, 4), (0.05, 3, 19), (0.05, 1, 1)]
)
def test_so_many_candidates_are_measured_first_as_the_bound_needs(
    tmp_path: Path, alpha: float, winners: int, first: int
) -> None:
    """Or only as many as winners are wanted, where the bound needs more than may be measured by then."""
    predictor = BoundedPredictor(Optimist(1.2), Calibration.of([1.02] * 20, alpha=alpha), INFO)
    before = Budgets(None, (LatencyBudget("toy", 1.0, predictor),))
    evaluator = FormulaEvaluator()
    device = Counting(evaluator, noise=0.005)
    search(
        tmp_path,
        before,
        evaluator=evaluator,
        settings=SearchSettings(trials=60, winners=winners, feasibility_samples=60, reserve=0.4),
        measure=device.measure,
        certify=certify,
        recalibrate=FinalistFeedback(ToySpace(), before),
    )
    assert device.evaluated.count(device.evaluated[0]) == first
    assert device.evaluated[0] < 60


class Interrupted:
    """Measures on a device whose noise depends on the net alone; the first net is ``slower`` than by the formula."""

    def __init__(self, slower: float) -> None:
        self.measured: list[Architecture] = []
        self.stop = -1
        self.slower = slower

    def measure(self, architecture: Architecture) -> Measurements:
        if len(self.measured) == self.stop:
            raise KeyboardInterrupt
        self.measured.append(architecture)
        times = self.slower if architecture == self.measured[0] else 1.0
        truth = FormulaPredictor(ms_per_mflop=0.2 * times, ms_per_operator=0.1 * times)
        return NoisyDevice(truth, noise=0.05, seed=int(architecture.id, 16)).measure(architecture)


@pytest.mark.parametrize(
    ("share", "alpha", "slower"),
    [
        pytest.param(1.2, 0.1, 1.0, id="bounds fall"),
        pytest.param(0.85, 0.2, 1.0, id="bounds rise"),
        pytest.param(0.97, 0.2, 1.25, id="bounds rise, and fall when the first no longer counts"),
    ],
)
def test_interrupted_at_any_measurement_the_same_nets_are_measured(
    tmp_path: Path, share: float, alpha: float, slower: float
) -> None:
    predictor = BoundedPredictor(Optimist(share), Calibration.of([1.02] * 20, alpha=alpha), INFO)
    before = Budgets(None, (LatencyBudget("toy", 1.0, predictor),))
    chosen = SearchSettings(trials=60, winners=8, feasibility_samples=60, reserve=0.6, seed=1)

    def run(folder: str, device: Interrupted) -> SearchResult:
        (tmp_path / folder).mkdir(exist_ok=True)
        options = {"measure": device.measure, "certify": certify, "recalibrate": FinalistFeedback(ToySpace(), before)}
        return search(tmp_path / folder, before, settings=chosen, **options)

    uninterrupted = Interrupted(slower)
    expected = run("whole", uninterrupted)
    for stop in range(1, len(uninterrupted.measured)):
        device = Interrupted(slower)
        device.stop = stop
        with pytest.raises(KeyboardInterrupt):
            run(str(stop), device)
        device.stop = -1
        found = run(str(stop), device)
        assert device.measured == uninterrupted.measured
        assert [(trial.id, trial.upper_ms) for trial in found.trials] == [
            (trial.id, trial.upper_ms) for trial in expected.trials
        ]
        assert [trial.id for trial in found.winners] == [trial.id for trial in expected.winners]
    run(str(stop), device)
    assert device.measured == uninterrupted.measured, "a finished search measures nothing"


def test_the_strategy_receives_the_recalibrated_budgets(tmp_path: Path) -> None:
    predictor = BoundedPredictor(Optimist(), Calibration.of([1.02] * 20), INFO)
    before = Budgets(None, (LatencyBudget("toy", 3.0, predictor),))
    device, feedback = NoisyDevice(FormulaPredictor()), FinalistFeedback(ToySpace(), before)
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
    feedback = FinalistFeedback(ToySpace(), before)
    options = {"measure": device.measure, "certify": certify, "recalibrate": feedback}
    result = search(tmp_path, before, **options)
    assert [trial.architecture for trial in result.winners] == [smallest]
    assert len(device.measured) <= 30
