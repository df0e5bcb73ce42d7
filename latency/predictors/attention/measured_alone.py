"""Times of operators that were measured in small models, alone or among those around them, and in no net.

A network that was trained on hundreds of nets learns little of a few operators unlike any other, such as convolutions
whose weights are inputs. All together, operators take about as long within nets as their kernels do alone
(``benchmarks/alone_and_in_nets.py``).
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import nan
from statistics import median

import numpy as np
from numpy.typing import NDArray

from latency.operators.neighbourhood import inner
from latency.operators.operator import Operator
from latency.sample import LatencySample


class MeasuredAlone:
    """Milliseconds of the kernels of operators.

    Args:
        by_digest: milliseconds by the digest of the operator.
    """

    def __init__(self, by_digest: dict[str, float]) -> None:
        self.by_digest = by_digest

    @staticmethod
    def of(samples: Sequence[LatencySample]) -> MeasuredAlone:
        """From small models whose kernels the runtime timed; what an operator takes among others comes first."""
        alone = {
            _digest(sample.graph.operators[0]): sum(kernel.ms for kernel in sample.kernels)
            for sample in samples
            if sample.alone and sample.kernels
        }
        among: defaultdict[str, list[float]] = defaultdict(list)
        for sample in samples:
            if sample.among_others:
                for digest, ms in _inner_times(sample, alone):
                    among[digest].append(ms)
        return MeasuredAlone(alone | {digest: median(times) for digest, times in among.items()})

    def ms(self, operators: Sequence[Operator], wanted: NDArray[np.bool_]) -> NDArray[np.float64]:
        """One number for each operator; NaN for those that are not wanted or were not measured."""
        pairs = zip(operators, wanted, strict=True)
        return np.array([self.by_digest.get(_digest(each), nan) if want else nan for each, want in pairs])


def _inner_times(sample: LatencySample, alone: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Inner operators with their time; a shared kernel is divided in the ratio of what its operators take alone.

    Where that is not known of each it is divided evenly.
    """
    wanted = inner(sample.graph)
    for kernel in sample.kernels:
        digests = [_digest(sample.graph.operators[position]) for position in kernel.operators]
        weights = [alone.get(digest, 0.0) for digest in digests]
        if not all(weights):
            weights = [1.0] * len(digests)
        for position, digest, weight in zip(kernel.operators, digests, weights, strict=True):
            if position in wanted:
                yield digest, kernel.ms * weight / sum(weights)


def _digest(operator: Operator) -> str:
    return hashlib.sha256(json.dumps(operator.signature).encode()).hexdigest()[:20]
