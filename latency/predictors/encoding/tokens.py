"""From operator graphs to padded batches of tokens, one token per operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from latency.operators.operator import OperatorGraph
from latency.predictors.encoding.edges import Edges
from latency.predictors.encoding.liveness import LIVENESS, liveness
from latency.predictors.encoding.memory_traffic import TRAFFIC, memory_traffic
from latency.predictors.encoding.relations import relations

PLACES = 3 + TRAFFIC + LIVENESS
"""Inputs of a token that depend on its place: share of the net before it, logarithm of its index, whether it was
measured in isolation, the memory traffic around it, and its liveness."""
_VECTOR = 16
"""Batches are padded to a multiple of this: attention is faster over whole vectors of a processor."""


@dataclass(frozen=True)
class TokenBatch:
    """``batch x tokens`` arrays; shorter graphs are padded at the end."""

    rows: NDArray[np.int64]
    """batch x tokens: row of the operator in the table, 0 where padded."""
    present: NDArray[np.bool_]
    """batch x tokens"""
    places: NDArray[np.float32]
    """batch x tokens x PLACES"""
    relations: NDArray[np.int32]
    """batch x tokens x tokens; what the second token is to the first, ``relations.PADDING`` where it is padded."""


def token_batch(
    graphs: Sequence[OperatorGraph], rows: Sequence[Sequence[int]], *, isolated: Sequence[bool] | None = None
) -> TokenBatch:
    """One padded batch of all graphs, each of which has at least one operator.

    Args:
        graphs: of the batch.
        rows: of each graph's operators in an ``OperatorTable``.
        isolated: whether each graph is a single-operator model.
    """
    counts = [len(each) for each in rows]
    edges = Edges.of([graph.inputs for graph in graphs])
    longest = max(counts)
    # Single operators come in large batches and attend to nothing but themselves.
    shape = (len(graphs), longest if longest == 1 else -(-longest // _VECTOR) * _VECTOR)
    present = np.arange(shape[1]) < np.array(counts)[:, None]
    padded_rows = np.zeros(shape, np.int64)
    padded_rows[present] = list(chain.from_iterable(rows))
    places = np.zeros((*shape, PLACES), np.float32)
    index = np.arange(shape[1], dtype=np.float32)
    places[:, :, 0] = index / np.array(counts, np.float32)[:, None]
    places[:, :, 1] = np.log1p(index) / 4
    places[:, :, 2] = 0.0 if isolated is None else np.asarray(isolated, np.float32)[:, None]
    places[:, :, 3 : 3 + TRAFFIC] = memory_traffic(graphs, edges, shape[1])
    places[present, 3 + TRAFFIC :] = np.concatenate([liveness(graph) for graph in graphs])
    places[~present] = 0.0
    return TokenBatch(padded_rows, present, places, relations(counts, edges, shape[1]))


def chunks_by_length(graphs: Sequence[OperatorGraph], size: int) -> list[list[int]]:
    """Positions of non-empty graphs in chunks of similar length, so that little is padded."""
    order = sorted(
        (position for position, graph in enumerate(graphs) if graph.operators),
        key=lambda position: len(graphs[position].operators),
    )
    return [order[start : start + size] for start in range(0, len(order), size)]
