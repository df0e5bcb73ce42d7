from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from devices.device_info import DeviceInfo
from latency.bounded import BoundedPredictor
from latency.calibration import Calibration
from latency.predictors.additive.lookup_table import LookupTablePredictor
from latency.sample import LatencySample
from latseg.testing.synthetic import measured
from search.constraints.budgets import Budgets, LatencyBudget, ParameterBudget
from search.spaces.portrait.space import PortraitSpace
from search.trial import DeviceResult, Trial
from search.trials import TrialStore
from search.winners.rejection_feedback import RejectionFeedback

INFO = DeviceInfo("cpu", "none", "none", "1.0", 1, "float32")
SPACE = PortraitSpace(sizes=((128, 128),))
NETS = SPACE.sample(20, Random(0))


@pytest.fixture(scope="module")
def budgets() -> Budgets:
    samples: list[LatencySample] = measured([SPACE.lower(net) for net in NETS])
    predictor = LookupTablePredictor()
    predictor.fit(samples)
    bounded = BoundedPredictor(predictor, Calibration.of([1.05] * 20), INFO.to_json())
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


def test_winners_that_held_change_nothing(budgets: Budgets, tmp_path: Path) -> None:
    with store_with(tmp_path, budgets, holds=True) as store:
        assert upper_ms(RejectionFeedback(SPACE, budgets).replay(store)) == upper_ms(budgets)
