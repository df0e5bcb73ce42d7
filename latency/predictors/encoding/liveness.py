"""Which operators the result depends on: some runtimes skip the others, and fold constants."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from latency.operators.operator import OperatorGraph

LIVENESS = 2
"""Columns of ``liveness``."""


def liveness(graph: OperatorGraph) -> NDArray[np.float32]:
    """For each operator: whether it depends on a graph input, and whether a graph output depends on it.

    The result is operators x ``LIVENESS``; it is cached and must not be written to.
    """
    if not graph.outputs and all(graph.inputs):
        # Every operator reads something, in the end a graph input, and leads to a sink, which is an output.
        return np.ones((len(graph.inputs), LIVENESS), np.float32)
    return _liveness(graph.inputs, graph.outputs or graph.sinks)


@lru_cache(maxsize=4096)
def _liveness(inputs: tuple[tuple[int, ...], ...], outputs: tuple[int, ...]) -> NDArray[np.float32]:
    result = np.zeros((len(inputs), LIVENESS), np.float32)
    for consumer, sources in enumerate(inputs):
        result[consumer, 0] = any(source < 0 or result[source, 0] for source in sources)
    result[list(outputs), 1] = 1.0
    for consumer in reversed(range(len(inputs))):
        if result[consumer, 1]:
            for source in inputs[consumer]:
                if source >= 0:
                    result[source, 1] = 1.0
    result.setflags(write=False)
    return result
