"""Diversity, importance, windows and hypervolume against their definitions."""

from __future__ import annotations

import tracemalloc
from itertools import combinations

import numpy as np
import pytest

from search.analysis.diversity import diversity_of
from search.analysis.hypervolume import hypervolume_of, reference_costs
from search.analysis.importance import importance_of
from search.analysis.search_log import Cost
from search.analysis.windows import MAX_WINDOWS, WINDOW, windows
from tests.search.analysis.logs import even_log, parameters


def test_edit_distance_is_the_mean_over_the_pairs_of_a_window() -> None:
    log = even_log(60)
    found = diversity_of(log)
    assert found is not None
    assert len(found.distance) == 60 - WINDOW + 1
    for end in (0, 7, -1):
        window = log.choices[end : end + WINDOW] if end >= 0 else log.choices[-WINDOW:]
        expected = np.mean([(one != other).sum() for one, other in combinations(window, 2)])
        assert found.distance[end] == pytest.approx(expected)
    assert found.numbers[0] == WINDOW
    assert found.numbers[-1] == 60


def test_entropy_of_constant_and_of_even_choices() -> None:
    choices = np.zeros((100, 3), np.int64)
    choices[:, 1] = np.arange(100) % 5
    choices[50:, 2] = 1
    found = diversity_of(even_log(100, slots=("a", "b", "c"), choices=choices))
    assert found is not None
    assert found.slots == ("b", "c")
    assert found.entropy_bits[0] == pytest.approx(np.log2(5))
    assert found.entropy_bits[1, [0, -1]] == pytest.approx(0.0)
    assert found.entropy_bits[1].max() == pytest.approx(1.0, abs=0.01)


def test_short_or_constant_logs_have_no_diversity() -> None:
    assert diversity_of(even_log(2 * WINDOW - 1)) is None
    assert diversity_of(even_log(2 * WINDOW)) is not None
    assert diversity_of(even_log(100, choices=np.ones((100, 6), np.int64))) is None


def test_importance_is_eta_squared_beyond_chance() -> None:
    log = even_log(quality=even_log().choices[:, 3].astype(float))
    first, *others = importance_of(log)
    assert first.slot == "slot3"
    assert first.eta_squared == pytest.approx(1.0)
    assert first.explained == pytest.approx(1.0)
    assert first.significant
    assert not any(slot.significant for slot in others)
    assert others[0].explained < 0.1
    # Of a slot with c choices, chance explains (c - 1) / (n - 1).
    assert first.chance == pytest.approx(3 / 199, rel=0.2)


@pytest.mark.parametrize("count", [30, 100, 200])
def test_many_choices_explain_nothing_beyond_chance(count: int) -> None:
    """The number of a trial explains all of the variance, and so it does by chance."""
    half = np.arange(count) % 2
    quality = half + 0.01 * np.random.default_rng(0).normal(size=count)
    log = even_log(count, slots=("number", "half"), choices=np.column_stack([np.arange(count), half]), quality=quality)
    first, number = importance_of(log)
    assert (first.slot, first.significant) == ("half", True)
    assert first.explained == pytest.approx(1.0, abs=0.01)
    assert number.eta_squared == pytest.approx(1.0)
    assert number.explained == 0.0
    assert not number.significant


def test_a_choice_for_each_trial_needs_no_table_of_all_choices() -> None:
    count = 4_000
    log = even_log(count, slots=("number",), choices=np.arange(count)[:, None], quality=np.arange(count) / count)
    tracemalloc.start()
    importance_of(log)
    diversity = diversity_of(log)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * count * count / 2, "bytes of such a table, or half of them"
    assert diversity is not None
    assert diversity.entropy_bits == pytest.approx(np.log2(WINDOW))
    assert diversity.distance == pytest.approx(1.0)


def test_entropy_is_that_of_the_counts_in_a_window() -> None:
    log = even_log(80)
    found = diversity_of(log)
    assert found is not None
    for place, slot in enumerate(found.slots):
        column = log.choices[:, log.slots.index(slot)]
        for start in (0, 1, 30, 80 - WINDOW):
            shares = np.unique(column[start : start + WINDOW], return_counts=True)[1] / WINDOW
            assert found.entropy_bits[place, start] == pytest.approx(-(shares * np.log2(shares)).sum())


def test_the_seed_reaches_the_permutations() -> None:
    log = even_log()
    assert importance_of(log, 1) == importance_of(log, 1)
    assert importance_of(log, 1) != importance_of(log, 2)
    assert importance_of(even_log(quality=np.full(200, 0.5))) == ()


def test_windows_of_25_and_wider_ones_of_long_logs() -> None:
    parts = list(windows(even_log(60)))
    assert [(first, last) for first, last, _ in parts] == [(1, 25), (26, 50), (51, 60)]
    assert np.concatenate([quality for _, _, quality in parts]).tolist() == even_log(60).quality.tolist()
    assert len(list(windows(even_log(WINDOW * MAX_WINDOWS)))) == MAX_WINDOWS
    assert [len(each) for _, _, each in windows(even_log(WINDOW * MAX_WINDOWS + 1))][:2] == [50, 50]


def test_hypervolume_with_the_limits_as_reference() -> None:
    latency = Cost("latency:cpu", "ms", np.array([1.0, 2.0]), 4.0)
    log = even_log(2, quality=np.array([0.5, 0.8]), costs=(*parameters(1e5, 2e5, limit=4e5), latency))
    reference = reference_costs([log])
    assert reference == {"parameters": 4e5, "latency:cpu": 4.0}
    assert hypervolume_of(log, reference) == pytest.approx(0.5 * 0.75 * 0.75 + 0.3 * 0.5 * 0.5)


def test_hypervolumes_of_logs_share_one_reference() -> None:
    small = even_log(1, quality=np.array([0.5]), costs=parameters(1e5))
    large = even_log(1, quality=np.array([0.5]), costs=parameters(4e5))
    reference = reference_costs([small, large])
    assert reference == {"parameters": 4e5}
    assert hypervolume_of(small, reference) == pytest.approx(0.375)
    assert hypervolume_of(large, reference) == 0.0
    assert reference_costs([small, even_log(1, costs=())]) == {}
    assert hypervolume_of(small, {}) == pytest.approx(0.5)
