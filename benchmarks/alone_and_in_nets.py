"""How far the time of an operator within a net lies from its time in a model of its own.

    python benchmarks/alone_and_in_nets.py WORKSPACE [DEVICE]

Reads what ``latseg profile`` has measured; ``latency.calibration.ALONE_WIDENING`` rests on it.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from latency.calibration import ALONE_WIDENING
from latency.operators.operator import Operator
from latency.predictors.kernel_groups import kernels_of
from latency.sample import LatencySample
from latency.store import MeasurementStore
from provenance import RESULTS, provenance, write_result


def both_ways(samples: Sequence[LatencySample]) -> list[tuple[Operator, float]]:
    """Operators measured both ways, with mean time of the kernel in nets / time in a model of its own."""
    alone: dict[object, tuple[Operator, float]] = {}
    within: defaultdict[object, list[float]] = defaultdict(list)
    for sample in samples:
        for kernel in kernels_of(sample):
            operator = sample.graph.operators[kernel.operators[0]]
            if sample.single_operator:
                alone[operator.signature] = (operator, kernel.ms)
            elif len(kernel.operators) == 1:
                within[operator.signature].append(kernel.ms)
    return [(operator, fmean(within[key]) / ms) for key, (operator, ms) in alone.items() if key in within and ms > 0]


def describe(ratios: Sequence[float]) -> dict[str, float]:
    """Count and quantiles of the ratios."""
    quantiles = {f"quantile_{share}": float(np.quantile(ratios, share)) for share in (0.05, 0.5, 0.9, 0.95)}
    return {"operators": len(ratios), **quantiles, "largest": max(ratios)}


def main() -> None:
    """Reads a workspace, writes the result."""
    workspace, name = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "cpu"
    with MeasurementStore(workspace / "measurements.sqlite") as store:
        info = next(info for info in store.devices() if (info.name, info.threads) == (name, 1))
        samples = store.samples(info.fingerprint)
    found = both_ways(samples)
    by_kind: defaultdict[str, list[float]] = defaultdict(list)
    for operator, ratio in found:
        by_kind[operator.kind].append(ratio)
    ratios = [ratio for _, ratio in found]
    share = float(np.mean(np.array(ratios) <= 1 + ALONE_WIDENING))
    goals: dict[str, Any] = {"share_within_the_widening": share, "widening": ALONE_WIDENING}
    document = {
        **provenance(),
        "device": info.to_json(),
        "nets": sum(not sample.single_operator for sample in samples),
        "goals": goals,
        "ratio_in_nets_to_alone": describe(ratios),
        "by_kind": {kind: describe(of_kind) for kind, of_kind in sorted(by_kind.items())},
    }
    write_result(RESULTS / "alone_and_in_nets.json", document)


if __name__ == "__main__":
    main()
