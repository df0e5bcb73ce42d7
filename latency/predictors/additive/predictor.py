"""What additive predictors share: operator times that are summed, scaled and given a constant."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latency.operators.operator import Operator, OperatorGraph
from latency.predictor import Prediction
from latency.predictors.additive.kernel_groups import KernelGroups, kernel_groups
from latency.predictors.additive.regression import OperatorRegression
from latency.predictors.encoding.encoded import EncodedOperators
from latency.predictors.encoding.operator_table import OperatorTable
from latency.predictors.encoding.vocabulary import Vocabulary
from latency.predictors.sample_checks import whole_nets
from latency.predictors.stored import Arrays, Document, StoredPredictor
from latency.sample import LatencySample

Vector = NDArray[np.float64]
LEAST_MS = 1e-6


@dataclass(frozen=True)
class MeasuredOperators:
    """Every different operator of the training samples and what was measured of them."""

    operators: Sequence[Operator]
    encoded: EncodedOperators
    groups: KernelGroups
    """Kernels; their rows index ``operators``."""
    regression: OperatorRegression

    @property
    def member_ms(self) -> Vector:
        """Time of each member of the kernels: shared out in the ratio of the regression, as if within a net."""
        predicted = np.exp(self.regression.log_ms(self.encoded))
        isolated = np.exp(self.regression.isolated_of(self.encoded))
        rows, alone = self.groups.rows, self.groups.isolated[self.groups.group]
        return self.groups.shared_out(predicted[rows]) / np.where(alone, isolated[rows], 1.0)


class AdditivePredictor(StoredPredictor):
    """Sums the times of operators, each regardless of its neighbours.

    Regression on sizes is fitted first; it divides the times of fused kernels among their operators and answers where
    the method itself has no answer. The sum is scaled, and a constant added, by least squares on the relative error of
    whole nets.
    """

    def __init__(self) -> None:
        self._vocabulary: Vocabulary | None = None
        self._regression: OperatorRegression | None = None
        self._scale, self._constant = 1.0, LEAST_MS
        self._forget_rows()

    def fit(self, samples: Sequence[LatencySample], *, seed: int = 0) -> None:
        """See ``LatencyPredictor``."""
        whole = whole_nets(samples)
        table = OperatorTable()
        groups = kernel_groups(samples, table)
        self._vocabulary = Vocabulary.of(samples, table)
        encoded = self._vocabulary.encode(table.features)
        self._regression = OperatorRegression.fit(groups, encoded, len(self._vocabulary.families))
        self._learn(MeasuredOperators(table.operators, encoded, groups, self._regression), seed)
        self._forget_rows()
        sums = np.array([self._raw(sample.graph).sum() for sample in whole])
        truth = np.array([sample.latency_ms for sample in whole])
        self._scale, self._constant = _fit_line(sums, truth)

    def _learn(self, measured: MeasuredOperators, seed: int) -> None:
        """Learns the times of single operators; by default nothing beyond the regression."""

    def _operator_ms(self, operators: Sequence[Operator], encoded: EncodedOperators, fallback: Vector) -> Vector:  # noqa: ARG002 - for subclasses
        """Milliseconds of each operator within a net; ``fallback`` is what regression says."""
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

    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Prediction]:
        """See ``LatencyPredictor``."""
        return [self._predict(graph) for graph in graphs]

    def _predict(self, graph: OperatorGraph) -> Prediction:
        operators_ms = self._raw(graph) * self._scale
        rows = self._table.rows(graph)
        unseen, alone = (
            tuple(position for position, row in enumerate(rows) if among[row]) for among in (self._unseen, self._alone)
        )
        total = float(operators_ms.sum()) + self._constant
        return Prediction(total, tuple(operators_ms.tolist()), self._constant, unseen, alone)

    def document(self) -> tuple[Document, Arrays]:
        """See ``StoredPredictor``."""
        assert self._vocabulary is not None, "fit or load comes first"
        assert self._regression is not None
        learned, arrays = self._learned()
        shared = {"vocabulary": self._vocabulary.to_json(), "scale": self._scale, "constant": self._constant}
        return {**shared, **learned}, {**self._regression.arrays(), **arrays}

    def restore(self, document: Document, arrays: Arrays) -> None:
        """See ``StoredPredictor``."""
        self._vocabulary = Vocabulary.from_json(document["vocabulary"])
        self._regression = OperatorRegression.from_arrays(arrays)
        self._scale, self._constant = float(document["scale"]), float(document["constant"])
        self._relearn(document, arrays)

    def _forget_rows(self) -> None:
        self._table = OperatorTable()
        self._ms = np.zeros(0)
        self._unseen = np.zeros(0, np.bool_)
        self._alone = np.zeros(0, np.bool_)
        self._family = np.zeros(0, np.int64)
        self._sizes: Vector | None = None

    def _raw(self, graph: OperatorGraph) -> Vector:
        """Unscaled milliseconds of each operator; the cache of rows grows with new operators."""
        assert self._vocabulary is not None, "fit or load comes first"
        assert self._regression is not None
        if self._table.full:
            self._forget_rows()
        rows = self._table.rows(graph)
        known = len(self._ms)
        if known < len(self._table.features):
            fresh, operators = self._vocabulary.encode(self._table.features[known:]), self._table.operators[known:]
            ms = self._operator_ms(operators, fresh, np.exp(self._regression.log_ms(fresh)))
            self._ms = np.concatenate([self._ms, ms])
            self._alone = np.concatenate([self._alone, fresh.alone])
            self._unseen = np.concatenate([self._unseen, fresh.unseen & ~self._known(operators)])
            self._family = np.concatenate([self._family, fresh.family])
            self._sizes = fresh.sizes if self._sizes is None else np.concatenate([self._sizes, fresh.sizes])
        return self._ms[rows]


def _fit_line(sums: Vector, truth: Vector) -> tuple[float, float]:
    """Scale and constant, both positive, of least squares on the relative error."""
    matrix = np.stack([sums / truth, 1 / truth], axis=1)
    (scale, constant), *_ = np.linalg.lstsq(matrix, np.ones(len(truth)))
    if constant < LEAST_MS or scale <= 0:
        scale, constant = float(np.sum(sums / truth) / np.sum((sums / truth) ** 2)), LEAST_MS
    return float(scale), float(constant)
