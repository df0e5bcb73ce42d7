"""The rules that ``bound_rules`` compares, on ratios of which they say different things."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from latency.calibration import Calibration

FIT = Calibration.of([1.0] * 24 + [1.1] * 6)
NEAR = [0.95] * 10 + [0.9] * 7 + [1.04, 1.06]
FIRST = [0.93] * 8 + [0.97]


@pytest.fixture
def rules(benchmark_of: Callable[[str], Any]) -> Any:
    return benchmark_of("bound_rules")


def test_each_rule_has_its_bound(rules: Any) -> None:
    found = rules.factors(FIT, NEAR, np.array([*FIRST, 1.0, 1.05]))
    expected = {"fit": [1.1] * 2, "moved": [1.1 * 0.95] * 2, "near alone": [1.04] * 2, "candidates": [0.97, 1.0]}
    assert {rule: list(each) for rule, each in found.items()} == {
        rule: pytest.approx(x) for rule, x in expected.items()
    }


def test_candidates_are_compared_with_the_bound_of_their_search(rules: Any) -> None:
    pairs = [(NEAR, np.array([*FIRST, 1.0, 1.05])), ([1.2] * 19, np.array([*FIRST, 1.15, 1.15]))]
    found = rules.compared(FIT, pairs)
    assert (found["searches"], found["candidates"]) == (2, 4)
    assert found["rules"]["fit"]["above_bound_percent"] == 50
    assert found["rules"]["near alone"]["above_bound_percent"] == 25
    assert found["rules"]["candidates"]["above_bound_percent"] == 75
    assert found["rules"]["near alone"]["bound_over_measured"] == pytest.approx(
        np.mean([np.mean([1.04, 1.04 / 1.05]), 1.2 / 1.15]), abs=1e-4
    )
