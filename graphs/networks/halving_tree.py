"""Sums and maxima over the neighbours of every node, by halving. Importing this module loads torch.

Messages are sorted by their receivers. Each step joins them in pairs until every node has one: rows are gathered and
added, or the larger one is kept, and any runtime can do that. A message without a partner is joined with itself. For
the maximum nothing changes by that; for the sum it is halved beforehand as often as that happens, which is exact in
floating point.

Torch exports a sum by index as ScatterElements with an index for every number, which is slower and makes files larger
(``benchmarks/citation_graph.py``), and ONNX has a maximum by index only since opset 18.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from graphs.graph_size import GraphSize

Indices = NDArray[np.int64]


class HalvingTree(nn.Module):
    """The indices of all steps, as buffers.

    Args:
        receivers: of each message, sorted; every node receives one at least.
        size: of the graph; its ``levels`` say how many rows remain after each step.
    """

    def __init__(self, receivers: Indices, size: GraphSize) -> None:
        super().__init__()
        steps, halved = _steps(receivers, size)
        self._steps = range(len(steps))
        for step, (left, right) in enumerate(steps):
            self.register_buffer(f"left{step}", torch.from_numpy(left), persistent=False)
            self.register_buffer(f"right{step}", torch.from_numpy(right), persistent=False)
        self.halves: Tensor
        """For each message the factor that ``sum`` expects in it: messages x 1."""
        halves = torch.from_numpy(np.exp2(-halved).astype(np.float32)[:, None])
        self.register_buffer("halves", halves, persistent=False)

    def sum(self, messages: Tensor) -> Tensor:
        """Sums of messages (messages x ...) that have been multiplied by ``halves``: nodes x ..."""
        for step in self._steps:
            left, right = self._pairs(step)
            messages = messages.index_select(0, left) + messages.index_select(0, right)
        return messages

    def max(self, messages: Tensor) -> Tensor:
        """Largest of the messages (messages x ...): nodes x ..."""
        for step in self._steps:
            left, right = self._pairs(step)
            messages = torch.maximum(messages.index_select(0, left), messages.index_select(0, right))
        return messages

    def _pairs(self, step: int) -> tuple[Tensor, Tensor]:
        return self.get_buffer(f"left{step}"), self.get_buffer(f"right{step}")


def _steps(receivers: Indices, size: GraphSize) -> tuple[list[tuple[Indices, Indices]], Indices]:
    """Rows to join in each step, and for each message how often it, or what it went into, has no partner."""
    counts, place = np.bincount(receivers, minlength=size.nodes), np.arange(len(receivers))
    steps: list[tuple[Indices, Indices]] = []
    halved = np.zeros(len(receivers), np.int64)
    for rows in size.levels:
        left, right, counts = _pairs(counts)
        after = np.repeat(np.arange(len(left)), np.where(left == right, 1, 2))
        halved += (left == right)[after[place]]
        place = after[place]
        steps.append((_padded(left, rows), _padded(right, rows)))
    return steps, halved


def _pairs(counts: Indices) -> tuple[Indices, Indices, Indices]:
    """Rows that are joined where each node has so many, and how many it has then."""
    halves = (counts + 1) // 2
    node = np.repeat(np.arange(len(counts)), halves)
    ends, starts = np.cumsum(counts), np.cumsum(halves) - halves
    left = (ends - counts)[node] + 2 * (np.arange(len(node)) - starts[node])
    return left, np.minimum(left + 1, ends[node] - 1), halves


def _padded(rows: Indices, length: int) -> Indices:
    """With row 0 at the end, which nothing reads."""
    return np.concatenate([rows, np.zeros(length - len(rows), np.int64)])
