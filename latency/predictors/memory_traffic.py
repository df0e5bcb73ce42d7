"""What of a net's memory traffic lies between an operator and the caches: its time hangs on where its inputs are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latency.operators.operator import OperatorGraph

TRAFFIC = 4
"""Columns of ``memory_traffic``."""
_MIDDLE, _SPREAD = 14.0, 2.0
"""Of the logarithms of bytes in small nets: 2^20 is 13.9; brings the columns to the scale of the other inputs."""


def memory_traffic(graph: OperatorGraph) -> NDArray[np.float32]:
    """For each operator (operators x ``TRAFFIC``) logarithms of bytes, scaled.

    The first column is the reuse distance of its inputs (Mattson et al. 1970: what was touched since they were written,
    they included; the farthest input counts). The others are the same for all operators of a net: the largest tensor
    written, the most that one operator touches, and all traffic of one run, which decides whether weights and buffers
    are still in the caches when the next run begins.
    """
    written = np.array([operator.bytes_written for operator in graph.operators], np.float64)
    touched = written + np.array([operator.bytes_read for operator in graph.operators], np.float64)
    columns = np.empty((len(written), TRAFFIC))
    columns[:, 0] = _reuse_distance(graph, written, np.cumsum(touched))
    columns[:, 1:] = written.max(), touched.max(), touched.sum()
    return ((np.log1p(columns) - _MIDDLE) / _SPREAD).astype(np.float32)


def _reuse_distance(
    graph: OperatorGraph, written: NDArray[np.float64], passed: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Bytes; an input of the graph itself counts as just written."""
    distance = np.zeros(len(written))
    for consumer, sources in enumerate(graph.inputs):
        for source in sources:
            if source >= 0:
                since = passed[consumer - 1] - passed[source]
                distance[consumer] = max(distance[consumer], written[source] + since)
    return distance
