from __future__ import annotations

import numpy as np

from latency.predictors.encoding.edges import Edges
from latency.predictors.encoding.relations import (
    CO_SIBLING,
    NONE,
    PADDING,
    PREDECESSOR,
    SAME,
    SIBLING,
    SUCCESSOR,
    relations,
)


def matrix_of(count: int, inputs: tuple[tuple[int, ...], ...]) -> np.ndarray:
    return relations([count], Edges.of([inputs]), count)[0]


def test_a_diamond() -> None:
    # 0 feeds 1 and 2, which feed 3; 4 is not connected.
    matrix = matrix_of(5, ((-1,), (0,), (0,), (1, 2), (-2,)))
    assert matrix[1].tolist() == [PREDECESSOR, SAME, SIBLING, SUCCESSOR, NONE]
    assert matrix[0].tolist() == [SAME, SUCCESSOR, SUCCESSOR, NONE, NONE]
    assert matrix[4].tolist() == [NONE, NONE, NONE, NONE, SAME]


def test_feeding_the_same_consumer_makes_co_siblings() -> None:
    matrix = matrix_of(3, ((-1,), (-1,), (0, 1)))
    assert matrix[0, 1] == matrix[1, 0] == CO_SIBLING


def test_a_direct_edge_counts_before_siblings() -> None:
    # A residual: 0 feeds 1 and 2, and 1 feeds 2; 1 and 2 are siblings, but 1 is also read by 2.
    matrix = matrix_of(3, ((-1,), (0,), (1, 0)))
    assert matrix[2, 1] == PREDECESSOR
    assert matrix[1, 2] == SUCCESSOR
    assert matrix[0, 1] == SUCCESSOR  # although both feed 2


def test_many_graphs_at_once_are_padded() -> None:
    inputs = [((-1,), (0,)), ((-1,), (0,), (0,), (1, 2))]
    codes = relations([2, 4], Edges.of(inputs), 5)
    assert codes.shape == (2, 5, 5)
    assert np.array_equal(codes[0, :2, :2], matrix_of(2, inputs[0]))
    assert np.array_equal(codes[1, :4, :4], matrix_of(4, inputs[1]))
    assert (codes[0, :, 2:] == PADDING).all()
    assert (codes[1, :, 4:] == PADDING).all()
