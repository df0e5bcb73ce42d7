"""How two operators of a graph stand to each other: what self-attention is biased by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from latency.predictors.edges import Edges

NONE, SAME, PREDECESSOR, SUCCESSOR, SIBLING, CO_SIBLING = range(6)
RELATIONS = 6
PADDING = RELATIONS
"""Code where the second operator is not there."""


def relations(counts: Sequence[int], edges: Edges) -> NDArray[np.uint8]:
    """graphs x operators x operators, padded to the longest graph; entry (i, j) says what j is to i.

    Siblings read a tensor of the same producer, co-siblings feed the same consumer. Where several hold, the first of
    same, predecessor, successor, sibling, co-sibling counts.

    Args:
        counts: operators of each graph.
        edges: of the graphs.
    """
    size = max(counts)
    reads = np.zeros((len(counts), size, size), np.float32)
    reads[edges.graph, edges.consumer, edges.source] = 1.0
    reading = torch.from_numpy(reads)
    codes = np.full(reads.shape, NONE, np.uint8)
    # Later assignments win, so the weakest relation comes first.
    codes[(reading.mT @ reading > 0).numpy()] = CO_SIBLING
    codes[(reading @ reading.mT > 0).numpy()] = SIBLING
    codes[edges.graph, edges.source, edges.consumer] = SUCCESSOR
    codes[edges.graph, edges.consumer, edges.source] = PREDECESSOR
    every = np.arange(size)
    codes[:, every, every] = SAME
    for number, count in enumerate(counts):
        codes[number, :, count:] = PADDING
    return codes
