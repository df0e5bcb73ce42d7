"""Edges of many graphs at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
        triples = [
            (number, consumer, source)
            for number, readers in enumerate(inputs)
            for consumer, sources in enumerate(readers)
            for source in sources
            if source >= 0
        ]
        return Edges(*np.array(triples, np.int64).reshape(-1, 3).T)
