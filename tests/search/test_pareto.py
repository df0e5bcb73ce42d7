"""Sorting, crowding and hypervolume against brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.analysis.hypervolume import hypervolume
from search.pareto import Matrix, crowding, dominated, fronts, ranking

points = st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=12).map(lambda p: np.array(p, dtype=float))


def dominates(a: Matrix, b: Matrix) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(x < y for x, y in zip(a, b, strict=True))


@given(points, points)
@settings(derandomize=True)
def test_domination_is_that_of_the_definition(objectives: Matrix, others: Matrix) -> None:
    found = dominated(objectives, others)
    for position, point in enumerate(objectives):
        assert found[position] == any(dominates(other, point) for other in others)


def test_many_points_are_sorted_as_few_are() -> None:
    """More points than are compared at once, many of them equal in some objectives."""
    random = np.random.default_rng(0)
    objectives = np.round(random.random((1500, 3)), 1)
    violations = random.choice([0.0, 0.0, 0.0, 0.5], size=len(objectives))
    first = fronts(objectives, violations, least=1)
    assert len(first) == 1
    feasible = np.flatnonzero(violations == 0)
    expected = [i for i in feasible if not any(dominates(objectives[j], objectives[i]) for j in feasible)]
    assert first[0].tolist() == expected
    assert fronts(objectives, violations)[0].tolist() == expected
    assert ranking(objectives, violations, count=40).tolist() == ranking(objectives, violations).tolist()[:40]


@given(points, st.integers(0, 2**32 - 1))
@settings(derandomize=True)
def test_fronts_peel_off_what_nothing_left_dominates(objectives: Matrix, seed: int) -> None:
    violations = np.random.default_rng(seed).choice([0.0, 0.0, 0.5, 1.0], size=len(objectives))

    def better(i: int, j: int) -> bool:
        if violations[i] == 0 and violations[j] == 0:
            return dominates(objectives[i], objectives[j])
        return bool(violations[i] < violations[j])

    left = set(range(len(objectives)))
    for front in fronts(objectives, violations):
        expected = {i for i in left if not any(better(j, i) for j in left)}
        assert set(front.tolist()) == expected
        left -= expected
    assert not left


@given(points)
@settings(derandomize=True)
def test_ranking_is_a_permutation_ordered_by_front(objectives: Matrix) -> None:
    order = ranking(objectives).tolist()
    assert sorted(order) == list(range(len(objectives)))
    front_of = {int(i): k for k, front in enumerate(fronts(objectives)) for i in front}
    assert [front_of[i] for i in order] == sorted(front_of.values())


def test_crowding_of_a_line_by_hand() -> None:
    line = np.array([[0.0, 10.0], [1.0, 6.0], [4.0, 2.0], [5.0, 0.0]])
    assert crowding(line).tolist() == pytest.approx([np.inf, 4 / 5 + 8 / 10, 4 / 5 + 6 / 10, np.inf])


def test_crowding_of_one_point_and_of_equal_points() -> None:
    assert np.isinf(crowding(np.array([[1.0, 2.0]]))).all()
    assert not np.isnan(crowding(np.ones((4, 2)))).any()


def test_no_points_no_order() -> None:
    assert ranking(np.empty((0, 3))).tolist() == []


@given(points)
@settings(derandomize=True)
def test_hypervolume_counts_the_dominated_unit_cubes(objectives: Matrix) -> None:
    reference = np.array([5.0, 5.0, 5.0])
    cubes = itertools.product(range(5), repeat=3)
    covered = sum(any((point <= cube).all() for point in objectives) for cube in cubes)
    assert hypervolume(objectives, reference) == pytest.approx(covered)


def test_hypervolume_leaves_out_what_does_not_beat_the_reference() -> None:
    assert hypervolume(np.array([[0.5, 2.0], [1.0, 0.0]]), np.array([1.0, 1.0])) == 0.0
