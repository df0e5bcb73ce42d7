"""Base of the additive predictors: the sum of operator times, scaled, plus an overhead."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from latency.operators.operator import Operator, OperatorGraph
from latency.predictor import Prediction
from latency.predictors.additive.kernel_groups import KernelGroups, kernel_groups
from latency.predictors.additive.regression import OperatorRegression
from latency.predictors.encoding.operator_table import OperatorTable
from latency.predictors.encoding.vocabulary import EncodedOperators, Vocabulary
from latency.predictors.sample_checks import whole_nets
from latency.predictors.stored import Arrays, Document, StoredPredictor
from latency.sample import LatencySample

Vector = NDArray[np.float64]
Indices = NDArray[np.int64]
MIN_MS = 1e-6


@dataclass(frozen=True)
class MeasuredOperators:
    """Every different operator of the training samples, with its measured times."""

    operators: Sequence[Operator]
    encoded: EncodedOperators
    groups: KernelGroups
    """Kernels; their rows index ``operators``."""
    regression: OperatorRegression

    @property
    def member_ms(self) -> Vector:
        """Time of each operator of each kernel within a net: the kernel's time, divided as the regression predicts."""
        predicted = np.exp(self.regression.log_ms(self.encoded))
        isolated = np.exp(self.regression.isolated_of(self.encoded))
        rows, single = self.groups.rows, self.groups.isolated[self.groups.group]
        return self.groups.divided(predicted[rows]) / np.where(single, isolated[rows], 1.0)


class AdditivePredictor(StoredPredictor):
    """Sums the times of operators, each regardless of its neighbours.

    Regression on sizes is fitted first; it divides the times of fused kernels among their operators and predicts the
    operators for which the method itself has no value. Scale and overhead are fitted by least squares on the relative
    error of whole nets.
    """

    def __init__(self) -> None:
        self._vocabulary: Vocabulary | None = None
        self._regression: OperatorRegression | None = None
        self._scale, self._overhead = 1.0, MIN_MS
        self._clear_caches()

    @override
    def fit(self, samples: Sequence[LatencySample], *, seed: int = 0) -> None:
        whole = whole_nets(samples)
        table = OperatorTable()
        groups = kernel_groups(samples, table)
        self._vocabulary = Vocabulary.of(samples, table)
        encoded = self._vocabulary.encode(table.features)
        self._regression = OperatorRegression.fit(groups, encoded, len(self._vocabulary.families))
        self._learn(MeasuredOperators(table.operators, encoded, groups, self._regression), seed)
        self._clear_caches()
        rows = self._rows([sample.graph for sample in whole])
        sums = np.array([self._ms[its].sum() for its in rows])
        truth = np.array([sample.latency_ms for sample in whole])
        self._scale, self._overhead = _fit_line(sums, truth)

    def _learn(self, measured: MeasuredOperators, seed: int) -> None:
        """Learns the times of operators; by default nothing beyond the regression."""

    def _operator_ms(self, operators: Sequence[Operator], encoded: EncodedOperators, fallback: Vector) -> Vector:  # noqa: ARG002 - for subclasses
        """Milliseconds of each operator within a net; ``fallback`` is the prediction of the regression."""
        return fallback

    def _known(self, operators: Sequence[Operator]) -> NDArray[np.bool_]:
        """Operators that count as seen whatever their sizes; none by default."""
        return np.zeros(len(operators), np.bool_)

    @abstractmethod
    def _learned(self) -> tuple[Document, Arrays]:
        """What ``_relearn`` needs, as JSON and as arrays."""

    @abstractmethod
    def _relearn(self, document: Document, arrays: Arrays) -> None:
        """Reads ``_learned``; may raise what ``StoredPredictor.restore`` may."""

    @override
    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Prediction]:
        return [self._predict(rows) for rows in self._rows(graphs)]

    def _predict(self, rows: Indices) -> Prediction:
        operators_ms = self._ms[rows] * self._scale
        unseen, isolated = (tuple(np.flatnonzero(of[rows]).tolist()) for of in (self._unseen, self._isolated))
        total = float(operators_ms.sum()) + self._overhead
        return Prediction(total, tuple(operators_ms.tolist()), self._overhead, unseen, isolated)

    @override
    def document(self) -> tuple[Document, Arrays]:
        assert self._vocabulary is not None, "fit or load comes first"
        assert self._regression is not None
        learned, arrays = self._learned()
        shared = {"vocabulary": self._vocabulary.to_json(), "scale": self._scale, "constant": self._overhead}
        return {**shared, **learned}, {**vars(self._regression), **arrays}

    @override
    def restore(self, document: Document, arrays: Arrays) -> None:
        self._vocabulary = Vocabulary.from_json(document["vocabulary"])
        self._regression = OperatorRegression.from_arrays(arrays)
        self._scale, self._overhead = float(document["scale"]), float(document["constant"])
        self._relearn(document, arrays)

    def _clear_caches(self) -> None:
        self._table = OperatorTable()
        self._ms = np.zeros(0)
        self._unseen = np.zeros(0, np.bool_)
        self._isolated = np.zeros(0, np.bool_)
        self._family = np.zeros(0, np.int64)
        self._sizes: Vector | None = None

    def _rows(self, graphs: Sequence[OperatorGraph]) -> list[Indices]:
        """Rows of the operators of each net in the caches, which grow with all new operators at once."""
        assert self._vocabulary is not None, "fit or load comes first"
        assert self._regression is not None
        if self._table.full:
            self._clear_caches()
        rows = [np.array(self._table.rows(graph), np.int64) for graph in graphs]
        known = len(self._ms)
        if known < len(self._table.features):
            fresh, operators = self._vocabulary.encode(self._table.features[known:]), self._table.operators[known:]
            ms = self._operator_ms(operators, fresh, np.exp(self._regression.log_ms(fresh)))
            self._ms = np.concatenate([self._ms, ms])
            self._isolated = np.concatenate([self._isolated, fresh.isolated])
            self._unseen = np.concatenate([self._unseen, fresh.unseen & ~self._known(operators)])
            self._family = np.concatenate([self._family, fresh.family])
            self._sizes = fresh.sizes if self._sizes is None else np.concatenate([self._sizes, fresh.sizes])
        return rows


def _fit_line(sums: Vector, truth: Vector) -> tuple[float, float]:
    """Scale and overhead, both positive, by least squares on the relative error."""
    matrix = np.stack([sums / truth, 1 / truth], axis=1)
    (scale, overhead), *_ = np.linalg.lstsq(matrix, np.ones(len(truth)))
    if overhead < MIN_MS or scale <= 0:
        scale, overhead = float(np.sum(sums / truth) / np.sum((sums / truth) ** 2)), MIN_MS
    return float(scale), float(overhead)
