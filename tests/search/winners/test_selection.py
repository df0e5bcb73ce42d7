"""Which trials are measured, and what a measurement decides."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from devices.measurement import FailedMeasurement
from search.constraints.budgets import Budgets, LatencyBudget, ParameterBudget
from search.trial import DeviceResult, Trial
from search.winners.selection import device_results, next_candidate, predicted_again, safest_candidate
from tests.latency.measurements import INFO, measurement
from tests.search.toy import FormulaPredictor, ToySpace

SPACE = ToySpace()
PREDICTOR = FormulaPredictor()
BUDGETS = Budgets(ParameterBudget(1000), (LatencyBudget("toy", 2.0, PREDICTOR),))
HELD = DeviceResult("toy", 1.0, (0.9, 1.1), holds=True)


def trials(*qualities: float) -> list[Trial]:
    return [
        Trial(architecture, 0, 100 + position, 0, {"toy": 1.0}, {"toy": 1.5}, quality, 0.0, "")
        for position, (architecture, quality) in enumerate(
            zip(SPACE.sample(len(qualities), Random(0)), qualities, strict=True)
        )
    ]


def test_the_rule_decides_and_sees_budget_and_device() -> None:
    seen: list[tuple[float, str]] = []

    def certify(found: object, maximum_ms: float, device: str) -> bool:
        seen.append((maximum_ms, device))
        return len(seen) == 1

    measured = {"toy": measurement(latency_ms=1.9)}
    (held,), (refused,) = device_results(BUDGETS, measured, certify), device_results(BUDGETS, measured, certify)
    assert seen == [(2.0, "toy")] * 2
    assert held == DeviceResult("toy", 1.9, measured["toy"].interval_ms, holds=True)
    assert refused == replace(held, holds=False, reason="1.9 ms measured is not safely under 2 ms")


@pytest.mark.parametrize(("upper_ms", "holds"), [(2.0, True), (2.001, False)])
def test_on_a_simulated_device_the_interval_decides(upper_ms: float, holds: bool) -> None:
    simulated = measurement(latency_ms=1.9, device=replace(INFO, simulated=True))
    measured = {"toy": replace(simulated, interval_ms=(1.8, upper_ms))}
    (result,) = device_results(BUDGETS, measured, lambda *_: not holds)
    assert (result.holds, result.simulated) == (holds, True)


def test_without_a_measurement_nothing_holds() -> None:
    failed = FailedMeasurement("net", "ab" * 32, INFO, "it crashed")
    for measured, reason in (({}, "not measured"), ({"toy": failed}, "it crashed")):
        assert device_results(BUDGETS, measured, lambda *_: True) == (
            DeviceResult("toy", None, None, holds=False, reason=reason),
        )


def test_every_trial_is_predicted_again_whatever_its_size() -> None:
    before = trials(0.5, 0.6)
    after = predicted_again(before, SPACE, Budgets(ParameterBudget(1), BUDGETS.latencies))
    for old, new in zip(before, after, strict=True):
        expected = PREDICTOR.predict([SPACE.lower(old.architecture)])[0]
        assert (new.predicted_ms, new.upper_ms) == ({"toy": expected.latency_ms}, {"toy": expected.upper_ms})
        assert replace(new, predicted_ms=old.predicted_ms, upper_ms=old.upper_ms) == old


def test_of_equal_quality_the_smaller_net_is_measured() -> None:
    small, large = trials(0.5, 0.5)
    assert next_candidate([large, small], BUDGETS, 1) == small


def test_only_a_better_net_replaces_a_winner() -> None:
    winner, equal, better = trials(0.5, 0.5, 0.6)
    winner = replace(winner, results=(HELD,))
    assert next_candidate([winner, equal], BUDGETS, 1) is None
    assert next_candidate([winner, equal], BUDGETS, 2) == equal
    assert next_candidate([winner, equal, better], BUDGETS, 1) == better
    assert next_candidate([replace(better, upper_ms={"toy": 2.1})], BUDGETS, 1) is None


def test_the_safest_net_is_furthest_below_its_budget() -> None:
    first, second = trials(0.9, 0.1)
    second = replace(second, upper_ms={"toy": 1.4})
    assert safest_candidate([first, second], BUDGETS) == second
    assert safest_candidate([replace(second, results=(HELD,))], BUDGETS) is None
