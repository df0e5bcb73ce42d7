"""What of a net's operator graph tells its quality: work, depth and width at each resolution, down and up again."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from latency.operators.operator import Operator, OperatorGraph

PIXELS = "pixels"
"""The feature that tells input sizes apart; all others are alike for a net at each of them."""
_UNIT = 6
"""FLOPs per pixel of the input that hardly count."""
_POOLED = -1
"""Level of what has no height and width."""


def graph_features(graph: OperatorGraph) -> dict[str, float]:
    """Numbers by name: ``KIND.WAY.LEVEL``, ``flops``, ``parameters``, ``levels_up`` and ``pixels``.

    The level counts halvings of the input's height; the way is ``up`` after the last operator at the deepest level,
    which is a decoder, else ``down``. ``flops`` (per pixel of the input), ``width`` (most channels of an operator with
    weights) and ``pixels`` (of the input) are logarithms, ``weighted`` and ``spatial`` the numbers of operators with
    weights and with a kernel above 1, ``kernel`` the sum of what their kernels are above 1. ``levels_up`` is the number
    of levels at which the decoder has weights: nets that lack fine ones have coarse edges.
    """
    size = pixels(graph)
    levels = [_level(graph, operator) for operator in graph.operators]
    deepest = max(levels)
    turn = max(position for position, level in enumerate(levels) if level == deepest)
    sums: dict[str, float] = defaultdict(float)
    for position, (operator, level) in enumerate(zip(graph.operators, levels, strict=True)):
        place = f"{'up' if position > turn else 'down'}.{level}"
        sums[f"flops.{place}"] += operator.flops / (_UNIT * size)
        if operator.parameters:
            sums[f"weighted.{place}"] += 1
            sums[f"spatial.{place}"] += _kernel(operator) > 1
            sums[f"kernel.{place}"] += _kernel(operator) - 1
            sums[f"width.{place}"] = max(sums[f"width.{place}"], math.log(operator.output_shapes[0][1]))
    features = {name: math.log1p(value) if name.startswith("flops") else value for name, value in sums.items()}
    total = sum(value for name, value in sums.items() if name.startswith("flops"))
    weights = sum(operator.parameters for operator in graph.operators)
    levels_up = sum(name.startswith("weighted.up") for name in features)
    totals = {"flops": math.log1p(total), "parameters": math.log1p(weights), "levels_up": float(levels_up)}
    return {**features, **totals, PIXELS: math.log(size)}


def pixels(graph: OperatorGraph) -> int:
    """Height times width of the input; 1 where it has none."""
    return math.prod(graph.input_shapes[0][2:])


def feature_matrix(rows: Sequence[dict[str, float]], names: Sequence[str]) -> NDArray[np.float64]:
    """``rows x names``; 0 where a row lacks a name."""
    return np.array([[row.get(name, 0.0) for name in names] for row in rows], dtype=np.float64).reshape(-1, len(names))


def _level(graph: OperatorGraph, operator: Operator) -> int:
    shape = operator.output_shapes[0]
    if len(shape) < 4 or shape[2] <= 1:
        return _POOLED
    return round(math.log2(graph.input_shapes[0][2] / shape[2]))


def _kernel(operator: Operator) -> int:
    """The longer side of its kernel; 1 where it has none."""
    kernel = operator.attribute("kernel", 1)
    return max(kernel) if isinstance(kernel, tuple) else 1
