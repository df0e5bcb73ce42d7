"""Closed-form operator times: ridge regression of log time on log sizes, pooled over kinds and refined by family.

The additive base of the attention predictor and the fall-back of the look-up table. It is linear in logarithms and so
extrapolates as a power law; the pooled stage predicts kinds that were never measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latency.predictors.additive.kernel_groups import KernelGroups
from latency.predictors.encoding.features import NUMERIC_NAMES
from latency.predictors.encoding.vocabulary import EncodedOperators
from latency.predictors.threads import one_blas_thread

Matrix = NDArray[np.float64]

_POOLED = tuple(
    NUMERIC_NAMES.index(name)
    for name in ("log_flops", "log_bytes_read", "log_bytes_written", "log_parameters", "log_output_positions")
)
_POOLED_PENALTY = 1.0
_FAMILY_PENALTY = 3.0
_ROUNDS = 4
_SHORT_MS = 0.003
"""Kernels shorter than this have a measurement error of the order of their time and get less weight."""


@dataclass(frozen=True)
class OperatorRegression:
    """log ms = pooled law + offset and slopes of the family + offsets of known categories."""

    pooled: Matrix
    """1 + sizes of the pooled stage"""
    family: Matrix
    """families x (1 + sizes + categories)"""
    isolated: Matrix
    """families + 1: what measuring in isolation adds to log ms; the last entry is for unknown families."""

    @staticmethod
    def fit(groups: KernelGroups, operators: EncodedOperators, families: int) -> OperatorRegression:
        """Alternates between dividing the times of fused kernels and least squares.

        Args:
            groups: measured kernels; their rows index ``operators``.
            operators: every different operator.
            families: number of families of the vocabulary that encoded them.
        """
        design = _Design.of(operators)
        predicted = np.exp(design.pooled[:, 3])  # bytes written: a first guess that only has to be positive
        with one_blas_thread():
            for _ in range(_ROUNDS):
                member_ms = groups.divided(predicted[groups.rows])
                model = _fit_once(design, groups, member_ms, families)
                predicted = np.exp(model._log_ms(design))
        return model

    def log_ms(self, operators: EncodedOperators) -> Matrix:
        """Logarithm of each operator's milliseconds within a whole net."""
        return self._log_ms(_Design.of(operators))

    def isolated_of(self, operators: EncodedOperators) -> Matrix:
        """What measuring in isolation adds to each operator's ``log_ms``."""
        result: Matrix = self.isolated[operators.family]
        return result

    @staticmethod
    def from_arrays(arrays: dict[str, Matrix]) -> OperatorRegression:
        """From its fields by name; further arrays are ignored.

        Raises:
            KeyError: one is missing.
        """
        return OperatorRegression(arrays["pooled"], arrays["family"], arrays["isolated"])

    def _log_ms(self, design: _Design) -> Matrix:
        known = design.family >= 0
        refined = np.einsum("of,of->o", design.detail, self.family[np.where(known, design.family, 0)])
        result: Matrix = np.einsum("of,f->o", design.pooled, self.pooled) + np.where(known, refined, 0.0)
        return result


@dataclass(frozen=True)
class _Design:
    pooled: Matrix
    detail: Matrix
    family: NDArray[np.int64]

    @staticmethod
    def of(operators: EncodedOperators) -> _Design:
        ones = np.ones((len(operators.family), 1))
        return _Design(
            np.hstack([ones, operators.sizes[:, _POOLED]]),
            np.hstack([ones, operators.sizes, operators.categories]),
            operators.family,
        )


def _fit_once(design: _Design, groups: KernelGroups, member_ms: Matrix, families: int) -> OperatorRegression:
    rows, family = groups.rows, design.family[groups.rows]
    single = groups.isolated[groups.group]
    target = np.log(np.maximum(member_ms, 1e-6))
    weight = member_ms / (member_ms + _SHORT_MS)
    weight[single] *= 0.3
    indicator = np.eye(families)[family] * single[:, None]
    pooled = _ridge(np.hstack([design.pooled[rows], indicator]), target, weight, _POOLED_PENALTY)
    width = design.pooled.shape[1]
    residual = target - design.pooled[rows] @ pooled[:width]
    coefficients = np.zeros((families, design.detail.shape[1]))
    isolated = np.zeros(families + 1)
    for index in range(families):
        mine = family == index
        if mine.any():
            matrix = np.hstack([design.detail[rows[mine]], single[mine, None].astype(np.float64)])
            solution = _ridge(matrix, residual[mine], weight[mine], _FAMILY_PENALTY)
            coefficients[index], isolated[index] = solution[:-1], solution[-1]
    return OperatorRegression(pooled[:width], coefficients, isolated)


def _ridge(matrix: Matrix, target: Matrix, weight: Matrix, penalty: float) -> Matrix:
    """Weighted ridge regression; the first column (the constant) has a small penalty."""
    penalties = np.full(matrix.shape[1], penalty)
    penalties[0] = 1e-3
    weighted = (matrix * weight[:, None]).T
    return np.asarray(np.linalg.solve(weighted @ matrix + np.diag(penalties), weighted @ target), dtype=np.float64)
