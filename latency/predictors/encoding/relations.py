"""Relations between two operators of a graph, by which self-attention is biased."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from latency.predictors.encoding.edges import Edges, Positions

NONE, SAME, PREDECESSOR, SUCCESSOR, SIBLING, CO_SIBLING = range(6)
RELATIONS = 6
PADDING = RELATIONS
"""Code where the second operator is padding."""


def relations(counts: Sequence[int], edges: Edges, size: int) -> NDArray[np.int32]:
    """graphs x size x size; entry (i, j) is the relation of operator j to operator i.

    Siblings read a tensor of the same producer, co-siblings feed the same consumer. Where several hold, the first of
    same, predecessor, successor, sibling, co-sibling counts.

    Args:
        counts: operators of each graph.
        edges: of the graphs.
        size: to which the graphs are padded.
    """
    codes = np.full((len(counts), size, size), NONE, np.int32)
    # Later assignments win, so the weakest relation comes first.
    _relate(codes, CO_SIBLING, edges.graph, edges.consumer, edges.source)
    _relate(codes, SIBLING, edges.graph, edges.source, edges.consumer)
    codes[edges.graph, edges.source, edges.consumer] = SUCCESSOR
    codes[edges.graph, edges.consumer, edges.source] = PREDECESSOR
    every = np.arange(size)
    codes[:, every, every] = SAME
    for number, count in enumerate(counts):
        codes[number, :, count:] = PADDING
    return codes


def _relate(codes: NDArray[np.int32], code: int, graph: Positions, shared: Positions, ends: Positions) -> None:
    """Writes ``code`` for every two ``ends`` of edges of a graph that have the ``shared`` end in common."""
    key = graph * codes.shape[1] + shared
    order = np.argsort(key, kind="stable")
    key, graph, ends = key[order], graph[order], ends[order]
    for distance in range(1, len(key)):
        first = np.flatnonzero(key[distance:] == key[:-distance])
        if not len(first):
            return
        number, one, other = graph[first], ends[first], ends[first + distance]
        codes[number, one, other] = codes[number, other, one] = code
