"""How two operators of a graph stand to each other: what self-attention is biased by."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

NONE, SAME, PREDECESSOR, SUCCESSOR, SIBLING, CO_SIBLING = range(6)
RELATIONS = 6


def relations(count: int, inputs: tuple[tuple[int, ...], ...]) -> NDArray[np.uint8]:
    """Matrix operators x operators; entry (i, j) says what j is to i.

    Siblings read a tensor of the same producer, co-siblings feed the same consumer. Where several hold, the first of
    same, predecessor, successor, sibling, co-sibling counts. The result is cached and must not be written to.

    Args:
        count: number of operators.
        inputs: ``OperatorGraph.inputs``.
    """
    return _relations(count, inputs)


@lru_cache(maxsize=4096)
def _relations(count: int, inputs: tuple[tuple[int, ...], ...]) -> NDArray[np.uint8]:
    matrix = np.full((count, count), NONE, dtype=np.uint8)
    producers = [[source for source in sources if source >= 0] for sources in inputs]
    consumers: list[list[int]] = [[] for _ in range(count)]
    for consumer, sources in enumerate(producers):
        for source in sources:
            consumers[source].append(consumer)
    # Later assignments win, so the weakest relation comes first.
    for group, relation in ((producers, CO_SIBLING), (consumers, SIBLING)):
        for alike in group:
            if len(alike) > 1:
                matrix[np.ix_(alike, alike)] = relation
    for consumer, sources in enumerate(producers):
        matrix[sources, consumer] = SUCCESSOR
    for consumer, sources in enumerate(producers):
        matrix[consumer, sources] = PREDECESSOR
    np.fill_diagonal(matrix, SAME)
    matrix.setflags(write=False)
    return matrix
