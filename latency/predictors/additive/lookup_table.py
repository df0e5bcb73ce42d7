"""Additive look-up table of measured operators, after ProxylessNAS (Cai et al. 2019, section 3.3 and appendix B)."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from latency.operators.operator import Operator
from latency.predictors.additive.kernel_groups import KernelGroups
from latency.predictors.additive.predictor import MIN_MS, AdditivePredictor, MeasuredOperators, Vector
from latency.predictors.encoding.vocabulary import EncodedOperators
from latency.predictors.stored import Arrays, Document


class LookupTablePredictor(AdditivePredictor):
    """Mean measured time of every operator; regression for operators that were never measured.

    Fitting is deterministic, the seed changes nothing.
    """

    name = "lookup_table"

    def __init__(self) -> None:
        super().__init__()
        self._measured: dict[str, float] = {}

    def _learn(self, measured: MeasuredOperators, seed: int) -> None:  # noqa: ARG002 - of the contract
        mean = _means(measured.groups, measured.member_ms, len(measured.operators))
        self._measured = {
            _digest(operator): float(ms)
            for operator, ms in zip(measured.operators, mean, strict=True)
            if np.isfinite(ms)
        }

    def _operator_ms(self, operators: Sequence[Operator], encoded: EncodedOperators, fallback: Vector) -> Vector:  # noqa: ARG002 - of the contract
        pairs = zip(operators, fallback.tolist(), strict=True)
        return np.array([self._measured.get(_digest(operator), ms) for operator, ms in pairs])

    def _known(self, operators: Sequence[Operator]) -> NDArray[np.bool_]:
        return np.array([_digest(operator) in self._measured for operator in operators], np.bool_)

    def _learned(self) -> tuple[Document, Arrays]:
        return {"digests": list(self._measured)}, {"ms": np.array(list(self._measured.values()), dtype=np.float64)}

    def _relearn(self, document: Document, arrays: Arrays) -> None:
        self._measured = dict(zip(document["digests"], arrays["ms"].tolist(), strict=True))


def _digest(operator: Operator) -> str:
    """Sixteen hexadecimal digits for the operator's signature: its identity on disk."""
    return blake2b(repr(operator.signature).encode(), digest_size=8).hexdigest()


def _means(groups: KernelGroups, member_ms: Vector, operators: int) -> Vector:
    """Mean time by operator, NaN where none; times within nets take precedence over those of single-operator models."""
    single = groups.isolated[groups.group]
    result = np.full(operators, np.nan)
    for chosen in (single, ~single):
        count = np.bincount(groups.rows[chosen], minlength=operators)
        total = np.bincount(groups.rows[chosen], weights=member_ms[chosen], minlength=operators)
        result = np.where(count > 0, total / np.maximum(count, 1), result)
    return np.asarray(np.maximum(result, MIN_MS), dtype=np.float64)
