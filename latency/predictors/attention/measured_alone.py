"""Times of operators that were measured in models of their own, for operators that no measured net had.

A network that was trained on hundreds of nets learns little of a few operators unlike any other, such as convolutions
whose weights are inputs. All together, operators take about as long within nets as their kernels do alone
(``benchmarks/alone_and_in_nets.py``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from math import nan

import numpy as np
from numpy.typing import NDArray

from latency.operators.operator import Operator
from latency.sample import LatencySample


class MeasuredAlone:
    """Milliseconds of the kernels of single operators.

    Args:
        by_digest: milliseconds by the digest of the operator.
    """

    def __init__(self, by_digest: dict[str, float]) -> None:
        self.by_digest = by_digest

    @staticmethod
    def of(samples: Sequence[LatencySample]) -> MeasuredAlone:
        """From single-operator models whose kernels the runtime timed."""
        return MeasuredAlone(
            {
                _digest(sample.graph.operators[0]): sum(kernel.ms for kernel in sample.kernels)
                for sample in samples
                if sample.single_operator and sample.kernels and len(sample.graph.operators) == 1
            }
        )

    def ms(self, operators: Sequence[Operator], wanted: NDArray[np.bool_]) -> NDArray[np.float64]:
        """One number for each operator; NaN for those that are not wanted or were not measured."""
        pairs = zip(operators, wanted, strict=True)
        return np.array([self.by_digest.get(_digest(each), nan) if want else nan for each, want in pairs])


def _digest(operator: Operator) -> str:
    return hashlib.sha256(json.dumps(operator.signature).encode()).hexdigest()[:20]
