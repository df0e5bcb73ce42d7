"""From operator graphs to padded batches of tokens, one token per operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latency.operators.operator import OperatorGraph
from latency.predictors.liveness import LIVENESS, liveness
from latency.predictors.memory_traffic import TRAFFIC, memory_traffic
from latency.predictors.operator_table import OperatorTable
from latency.predictors.relations import RELATIONS, relations

PADDING = RELATIONS
"""Relation code of a token that is not there."""
PLACES = 3 + TRAFFIC + LIVENESS
"""What a token knows of its place: share of the net before it, log of its index, whether it was measured alone, the
memory traffic around it, and its liveness."""


@dataclass(frozen=True)
class TokenBatch:
    """``batch x tokens`` arrays; shorter graphs are padded at the end."""

    rows: NDArray[np.int64]
    """batch x tokens: row of the operator in the table, 0 where padded."""
    present: NDArray[np.bool_]
    """batch x tokens"""
    places: NDArray[np.float32]
    """batch x tokens x PLACES"""
    relations: NDArray[np.uint8]
    """batch x tokens x tokens; what the second token is to the first, ``PADDING`` where the second is padded."""


def token_batch(
    graphs: Sequence[OperatorGraph], table: OperatorTable, *, alone: Sequence[bool] | None = None
) -> TokenBatch:
    """One padded batch of all graphs; at least one of them has an operator."""
    size = max(len(graph.operators) for graph in graphs)
    batch = TokenBatch(
        np.zeros((len(graphs), size), np.int64),
        np.zeros((len(graphs), size), np.bool_),
        np.zeros((len(graphs), size, PLACES), np.float32),
        np.full((len(graphs), size, size), PADDING, np.uint8),
    )
    for position, graph in enumerate(graphs):
        count = len(graph.operators)
        batch.rows[position, :count] = table.rows(graph)
        batch.present[position, :count] = True
        batch.places[position, :count, :2] = _places(count)
        batch.places[position, :count, 3 : 3 + TRAFFIC] = memory_traffic(graph)
        batch.places[position, :count, 3 + TRAFFIC :] = liveness(graph)
        batch.relations[position, :count, :count] = relations(count, graph.inputs)
    if alone is not None:
        batch.places[:, :, 2] = np.asarray(alone, np.float32)[:, None] * batch.present
    return batch


def chunks_by_length(graphs: Sequence[OperatorGraph], size: int) -> list[list[int]]:
    """Positions of non-empty graphs in chunks of similar length, so that little is padded."""
    order = sorted(
        (position for position, graph in enumerate(graphs) if graph.operators),
        key=lambda position: len(graphs[position].operators),
    )
    return [order[start : start + size] for start in range(0, len(order), size)]


def _places(count: int) -> NDArray[np.float32]:
    index = np.arange(count, dtype=np.float32)
    return np.stack([index / count, np.log1p(index) / 4], axis=1)
