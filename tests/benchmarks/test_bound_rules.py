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
CHOICES = [[number % 3, number % 2] for number in range(11)]


@pytest.fixture
def rules(benchmark_of: Callable[[str], Any]) -> Any:
    return benchmark_of("bound_rules")


def search(rules: Any, near: list[float], candidates: list[float]) -> Any:
    return rules.Search(near, np.array(candidates), np.array(CHOICES[: len(candidates)]))


def test_each_rule_has_its_bound(rules: Any) -> None:
    found = rules.factors(FIT, search(rules, NEAR, [*FIRST, 1.0, 1.05]))
    relatives = found.pop("relatives")
    assert len(relatives) == 2
    expected = {"fit": [1.1] * 2, "moved": [1.1 * 0.95] * 2, "near alone": [1.04] * 2, "candidates": [0.97, 1.0]}
    assert {rule: list(each) for rule, each in found.items()} == {
        rule: pytest.approx(x) for rule, x in expected.items()
    }


def test_candidates_are_compared_with_the_bound_of_their_search(rules: Any) -> None:
    searches = [search(rules, NEAR, [*FIRST, 1.0, 1.05]), search(rules, [1.2] * 19, [*FIRST, 1.15, 1.15])]
    found = rules.compared(FIT, searches)
    assert (found["searches"], found["candidates"]) == (2, 4)
    assert found["rules"]["fit"]["above_bound_percent"] == 50
    assert found["rules"]["near alone"]["above_bound_percent"] == 25
    assert found["rules"]["candidates"]["above_bound_percent"] == 75
    assert found["rules"]["near alone"]["bound_over_measured"] == pytest.approx(
        np.mean([np.mean([1.04, 1.04 / 1.05]), 1.2 / 1.15]), abs=1e-4
    )


def test_a_bound_by_relatives_follows_the_errors_of_networks_that_are_alike(rules: Any) -> None:
    """Ten networks of two families, one of them a tenth slower than predicted."""
    ratios = [1.0, 1.1] * 5
    families = [[0] * 40, [1] * 40] * 5
    bounds = [
        rules.by_relatives(rules.Search(NEAR, np.array([*ratios, 1.0]), np.array([*families, family])), 10, 0.1)
        for family in ([0] * 40, [1] * 40)
    ]
    assert bounds == pytest.approx([1.0, 1.1], abs=0.02)


def test_an_error_is_left_out_where_it_is_predicted(rules: Any) -> None:
    """The errors under a bound are those of Gaussian processes that have not seen the network."""
    ratios, choices = np.array([0.95, 1.0, 1.02, 1.1, 0.9, 1.0, 1.03, 0.98, 1.01, 1.0]), np.array(CHOICES[:10])
    kernel = rules.kernel_of(choices) + rules.NOISE**2 * np.eye(10)
    errors = np.log(ratios[:9])
    left_out = []
    for place in range(9):
        others = [other for other in range(9) if other != place]
        expected = kernel[place, others] @ np.linalg.solve(kernel[np.ix_(others, others)], errors[others])
        left_out.append(errors[place] - expected)
    expected = kernel[9, :9] @ np.linalg.solve(kernel[:9, :9], errors)
    found = rules.by_relatives(rules.Search(NEAR, ratios, choices), 9, 0.1)
    assert np.log(found) == pytest.approx(expected + max(left_out))
