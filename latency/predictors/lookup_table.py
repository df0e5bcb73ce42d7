"""Additive look-up table of measured operators, after ProxylessNAS (Cai et al. 2019, section 3.3 and appendix B)."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from latency.operators.operator import Operator, OperatorGraph
from latency.predictor import LatencyPredictor, Prediction
from latency.predictors.folder import corrupt, read_folder, write_folder
from latency.predictors.kernel_groups import KernelGroups, kernel_groups
from latency.predictors.operator_table import OperatorTable
from latency.predictors.regression import OperatorRegression
from latency.predictors.sample_checks import whole_nets
from latency.predictors.vocabulary import Vocabulary
from latency.sample import LatencySample

Vector = NDArray[np.float64]
_LEAST_MS = 1e-6


class LookupTablePredictor(LatencyPredictor):
    """Mean measured time of every operator, summed; regression answers for operators that were never measured.

    The sum is scaled, and a constant added, by least squares on the relative error of whole nets.
    """

    name = "lookup_table"

    def __init__(self) -> None:
        self._vocabulary: Vocabulary | None = None
        self._regression: OperatorRegression | None = None
        self._measured: dict[str, float] = {}
        self._scale, self._constant = 1.0, _LEAST_MS
        self._forget_rows()

    def fit(self, samples: Sequence[LatencySample], *, seed: int = 0) -> None:  # noqa: ARG002 - of the contract
        """Fills the table; deterministic, ``seed`` changes nothing."""
        whole = whole_nets(samples)
        table = OperatorTable()
        groups = kernel_groups(samples, table)
        vocabulary = Vocabulary.learn(table.features)
        operators = vocabulary.encode(table.features)
        regression = OperatorRegression.fit(groups, operators, len(vocabulary.families))
        predicted = np.exp(regression.log_ms(operators))
        mean = _means(groups, predicted, np.exp(regression.isolated_of(operators)))
        self._vocabulary, self._regression = vocabulary, regression
        self._measured = {
            _digest(operator): float(ms) for operator, ms in zip(table.operators, mean, strict=True) if np.isfinite(ms)
        }
        self._forget_rows()
        sums = np.array([self._raw(sample.graph).sum() for sample in whole])
        truth = np.array([sample.latency_ms for sample in whole])
        self._scale, self._constant = _fit_line(sums, truth)

    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Prediction]:
        """Sums; an operator outside the table whose kind or size was never measured counts as unseen."""
        return [self._predict(graph) for graph in graphs]

    def _predict(self, graph: OperatorGraph) -> Prediction:
        operators_ms = self._raw(graph) * self._scale
        unseen = tuple(position for position, row in enumerate(self._table.rows(graph)) if self._unseen[row])
        total = float(operators_ms.sum()) + self._constant
        return Prediction(total, tuple(operators_ms.tolist()), self._constant, unseen)

    def save(self, folder: Path) -> None:
        """Writes ``lookup_table.json`` and its tensors."""
        vocabulary, regression = self._fitted()
        document = {
            "vocabulary": vocabulary.to_json(),
            "digests": list(self._measured),
            "scale": self._scale,
            "constant": self._constant,
        }
        arrays = {"ms": np.array(list(self._measured.values()), dtype=np.float64), **regression.arrays()}
        write_folder(folder, self.name, document, arrays)

    @classmethod
    def load(cls, folder: Path) -> LookupTablePredictor:
        """Reads what ``save`` wrote."""
        document, arrays = read_folder(folder, cls.name)
        predictor = cls()
        try:
            predictor._vocabulary = Vocabulary.from_json(document["vocabulary"])
            predictor._regression = OperatorRegression.from_arrays(arrays)
            predictor._measured = dict(zip(document["digests"], arrays["ms"].tolist(), strict=True))
            predictor._scale, predictor._constant = float(document["scale"]), float(document["constant"])
        except (KeyError, TypeError, ValueError) as error:
            raise corrupt(folder, f"{type(error).__name__}: {error}") from error
        return predictor

    def _fitted(self) -> tuple[Vocabulary, OperatorRegression]:
        assert self._vocabulary is not None, "fit or load comes first"
        assert self._regression is not None
        return self._vocabulary, self._regression

    def _forget_rows(self) -> None:
        self._table = OperatorTable()
        self._ms: list[float] = []
        self._unseen: list[bool] = []

    def _raw(self, graph: OperatorGraph) -> Vector:
        """Unscaled milliseconds of each operator; the cache of rows grows with new operators."""
        if self._table.full:
            self._forget_rows()
        rows = self._table.rows(graph)
        vocabulary, regression = self._fitted()
        if len(self._ms) < len(self._table.features):
            fresh = vocabulary.encode(self._table.features[len(self._ms) :])
            digests = [_digest(operator) for operator in self._table.operators[len(self._ms) :]]
            fallback = np.exp(regression.log_ms(fresh)).tolist()
            self._ms += [self._measured.get(key, ms) for key, ms in zip(digests, fallback, strict=True)]
            self._unseen += [
                key not in self._measured and unseen for key, unseen in zip(digests, fresh.unseen.tolist(), strict=True)
            ]
        return np.array([self._ms[row] for row in rows])


def _digest(operator: Operator) -> str:
    """Sixteen hexadecimal digits for the operator's signature: its identity on disk."""
    return blake2b(repr(operator.signature).encode(), digest_size=8).hexdigest()


def _means(groups: KernelGroups, predicted: Vector, isolated: Vector) -> Vector:
    """Mean time by row; NaN where none.

    Measurements within nets come before those of single-operator models, which are divided by the factor ``isolated``.
    """
    alone = groups.isolated[groups.group]
    shared = groups.shared_out(predicted[groups.rows]) / np.where(alone, isolated[groups.rows], 1.0)
    result = np.full(len(predicted), np.nan)
    for chosen in (alone, ~alone):
        count = np.bincount(groups.rows[chosen], minlength=len(predicted))
        total = np.bincount(groups.rows[chosen], weights=shared[chosen], minlength=len(predicted))
        result = np.where(count > 0, total / np.maximum(count, 1), result)
    return np.asarray(np.maximum(result, _LEAST_MS), dtype=np.float64)


def _fit_line(sums: Vector, truth: Vector) -> tuple[float, float]:
    """Scale and constant, both positive, of least squares on the relative error."""
    matrix = np.stack([sums / truth, 1 / truth], axis=1)
    (scale, constant), *_ = np.linalg.lstsq(matrix, np.ones(len(truth)))
    if constant < _LEAST_MS or scale <= 0:
        scale, constant = float(np.sum(sums / truth) / np.sum((sums / truth) ** 2)), _LEAST_MS
    return float(scale), float(constant)
