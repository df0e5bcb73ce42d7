"""Edges of many graphs at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]


@dataclass(frozen=True)
class Edges:
    """One entry for each operator that reads another: the graph's number, the reader and what it reads."""

    graph: Positions
    consumer: Positions
    source: Positions

    @staticmethod
    def of(inputs: Sequence[tuple[tuple[int, ...], ...]]) -> Edges:
        """From the ``OperatorGraph.inputs`` of each graph."""
        readers = list(chain.from_iterable(inputs))
        read = np.fromiter(map(len, readers), np.int64, len(readers))
        counts = [len(each) for each in inputs]
        graph = np.repeat(np.repeat(np.arange(len(inputs)), counts), read)
        consumer = np.repeat(np.concatenate([np.arange(count) for count in counts]), read)
        source = np.fromiter(chain.from_iterable(readers), np.int64, len(graph))
        inner = source >= 0
        return Edges(graph[inner], consumer[inner], source[inner])
