"""One random forest for each family of operators, after nn-Meter (Zhang et al., MobiSys 2021, section 5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from latency.operators.operator import Operator
from latency.predictors.additive.predictor import MIN_MS, AdditivePredictor, MeasuredOperators, Vector
from latency.predictors.additive.trees import Trees
from latency.predictors.encoding.vocabulary import EncodedOperators
from latency.predictors.stored import Arrays, Document, prefixed, without_prefix

_MIN_KERNELS = 10
"""Families with fewer measured kernels are predicted by regression."""
_ISOLATED_WEIGHT = 0.3
"""Weight of a kernel of a single-operator model; kernels within nets have weight 1."""


class KernelForestPredictor(AdditivePredictor):
    """Forests on the sizes and categories of an operator, for its logarithmic time."""

    name = "kernel_forest"

    def __init__(self) -> None:
        super().__init__()
        self._forests: dict[int, Trees] = {}

    def _learn(self, measured: MeasuredOperators, seed: int) -> None:
        rows, single = measured.groups.rows, measured.groups.isolated[measured.groups.group]
        target = np.log(np.maximum(measured.member_ms, MIN_MS))
        family = measured.encoded.family[rows]
        inputs = _inputs(measured.encoded)[rows]
        weight = np.where(single, _ISOLATED_WEIGHT, 1.0)
        self._forests = {
            int(index): Trees.forest(inputs[mine], target[mine], weight[mine], seed=seed)
            for index in np.unique(family)
            if (mine := family == index).sum() >= _MIN_KERNELS
        }

    def _operator_ms(self, operators: Sequence[Operator], encoded: EncodedOperators, fallback: Vector) -> Vector:  # noqa: ARG002 - of the contract
        result, inputs = fallback.copy(), _inputs(encoded)
        for index, forest in self._forests.items():
            mine = encoded.family == index
            if mine.any():
                result[mine] = np.exp(forest.predict(inputs[mine]))
        return result

    def _learned(self) -> tuple[Document, Arrays]:
        arrays: Arrays = {}
        for index, forest in self._forests.items():
            arrays.update(prefixed(vars(forest), f"forest.{index}."))
        return {"forests": list(self._forests)}, arrays

    def _relearn(self, document: Document, arrays: Arrays) -> None:
        for index in map(int, document["forests"]):
            self._forests[index] = Trees.from_arrays(without_prefix(arrays, f"forest.{index}."))


def _inputs(encoded: EncodedOperators) -> Vector:
    return np.hstack([encoded.sizes, encoded.categories.astype(np.float64)])
