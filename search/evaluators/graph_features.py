"""What of a net's operator graph tells its quality: work, depth and width at each resolution."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from latency.operators.operator import Operator, OperatorGraph

_UNIT = 1e5
"""FLOPs that hardly count."""


def graph_features(graph: OperatorGraph) -> dict[str, float]:
    """Numbers by name; resolutions are counted in halvings of the input's height.

    ``flops.R`` is a logarithm, ``spatial.R`` the number of convolutions with a kernel above 1, ``width.R`` the
    logarithm of the most channels of an operator with weights.
    """
    flops: dict[str, int] = defaultdict(int)
    spatial: dict[str, int] = defaultdict(int)
    width: dict[str, int] = defaultdict(lambda: 1)
    for operator in graph.operators:
        level = _level(graph, operator)
        flops[level] += operator.flops
        if operator.parameters:
            spatial[level] += _is_spatial(operator)
            width[level] = max(width[level], operator.output_shapes[0][1])
    return {
        **{f"flops.{level}": math.log1p(count / _UNIT) for level, count in flops.items()},
        **{f"spatial.{level}": float(count) for level, count in spatial.items()},
        **{f"width.{level}": math.log(channels) for level, channels in width.items()},
    }


def feature_matrix(rows: Sequence[dict[str, float]], names: Sequence[str]) -> NDArray[np.float64]:
    """``rows x names``; 0 where a row lacks a name."""
    return np.array([[row.get(name, 0.0) for name in names] for row in rows], dtype=np.float64).reshape(-1, len(names))


def _level(graph: OperatorGraph, operator: Operator) -> str:
    height = graph.input_shapes[0][-2] if len(graph.input_shapes[0]) > 1 else 1
    shape = operator.output_shapes[0]
    if len(shape) < 4 or shape[2] <= 1:
        return "pooled"
    return str(round(math.log2(height / shape[2])))


def _is_spatial(operator: Operator) -> int:
    kernel = operator.attribute("kernel", 1)
    return int(isinstance(kernel, tuple) and max(kernel) > 1)
