"""Baseline: a constant and one time for every floating-point operation, without operator times."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from latency.operators.operator import OperatorGraph
from latency.sample import LatencySample

_MIN_MS = 1e-3


def fit_flops(samples: Sequence[LatencySample]) -> Callable[[Sequence[OperatorGraph]], list[float]]:
    """Least squares on the relative error of whole nets; what it returns predicts milliseconds."""
    whole = [sample for sample in samples if not sample.single_operator]
    truth = np.array([sample.latency_ms for sample in whole])
    matrix = np.array([[_flops(sample.graph), 1.0] for sample in whole]) / truth[:, None]
    (per_operation, constant), *_ = np.linalg.lstsq(matrix, np.ones(len(truth)))
    return lambda graphs: [max(_MIN_MS, float(per_operation * _flops(graph) + constant)) for graph in graphs]


def _flops(graph: OperatorGraph) -> float:
    return float(sum(operator.flops for operator in graph.operators))
