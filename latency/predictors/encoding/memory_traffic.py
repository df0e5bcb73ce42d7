"""The memory traffic of a net around each operator, whose time depends on which cache its inputs are still in."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from latency.operators.operator import OperatorGraph
from latency.predictors.encoding.edges import Edges

TRAFFIC = 4
"""Columns of ``memory_traffic``."""
_MIDDLE, _SPREAD = 14.0, 2.0
"""Brings the logarithms of bytes (2^20: 13.9) to the scale of the other inputs of the network."""


def memory_traffic(graphs: Sequence[OperatorGraph], edges: Edges, size: int) -> NDArray[np.float32]:
    """graphs x size x ``TRAFFIC``: logarithms of bytes, scaled; meaningless beyond a graph's operators.

    The first column is the reuse distance of an operator's inputs (Mattson et al. 1970): the bytes touched since they
    were written, themselves included; the farthest input counts. The others are the same for all operators of a net:
    the largest output, the largest traffic of one operator, and all traffic of one run, which decides whether weights
    and buffers are still cached when the next run begins.
    """
    read, written = _of_operators(graphs, "bytes_read", size), _of_operators(graphs, "bytes_written", size)
    touched = read + written
    columns = np.empty((*written.shape, TRAFFIC))
    columns[:, :, 0] = _reuse_distance(written, np.cumsum(touched, axis=1), edges)
    columns[:, :, 1] = written.max(axis=1, keepdims=True)
    columns[:, :, 2] = touched.max(axis=1, keepdims=True)
    columns[:, :, 3] = touched.sum(axis=1, keepdims=True)
    return ((np.log1p(columns) - _MIDDLE) / _SPREAD).astype(np.float32)


def _of_operators(graphs: Sequence[OperatorGraph], name: str, size: int) -> NDArray[np.float64]:
    """graphs x size, 0 beyond a graph's operators."""
    counts = np.array([len(graph.operators) for graph in graphs])
    values = np.zeros((len(graphs), size))
    operators = chain.from_iterable(graph.operators for graph in graphs)
    values[np.arange(size) < counts[:, None]] = np.fromiter(map(attrgetter(name), operators), np.float64)
    return values


def _reuse_distance(written: NDArray[np.float64], passed: NDArray[np.float64], edges: Edges) -> NDArray[np.float64]:
    """Bytes, graphs x operators; an input of the graph itself counts as just written."""
    distance = np.zeros(written.shape)
    since = passed[edges.graph, edges.consumer - 1] - passed[edges.graph, edges.source]
    np.maximum.at(distance, (edges.graph, edges.consumer), written[edges.graph, edges.source] + since)
    return distance
