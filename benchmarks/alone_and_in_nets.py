"""How far the time of an operator within a net lies from its time in a model of its own.

Reads what ``latseg profile`` has measured; ``latency.calibration.ALONE_WIDENING`` rests on it.
"""

from __future__ import annotations

import argparse
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


def goals(ratios: Sequence[float]) -> list[dict[str, Any]]:
    """What the widening for operators measured alone stands for."""
    share = 100 * float(np.mean(np.array(ratios) <= 1 + ALONE_WIDENING))
    what = f"operators that take within nets at most {1 + ALONE_WIDENING:g} times as long as alone, %"
    return [{"what": what, "goal": ">= 95", "value": share, "met": share >= 95}]


def main() -> None:
    """Reads a workspace, writes the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--output", type=Path, default=RESULTS / "alone_and_in_nets.json")
    options = parser.parse_args()
    with MeasurementStore(options.workspace / "measurements.sqlite") as store:
        info = next(info for info in store.devices() if (info.name, info.threads) == (options.device, 1))
        samples = store.samples(info.fingerprint)
    by_kind: defaultdict[str, list[float]] = defaultdict(list)
    for operator, ratio in both_ways(samples):
        by_kind[operator.kind].append(ratio)
    ratios = [ratio for of_kind in by_kind.values() for ratio in of_kind]
    document = {
        "benchmark": "alone_and_in_nets",
        "device": info.to_json(),
        "nets": sum(not sample.single_operator for sample in samples),
        "ratio_in_nets_to_alone": describe(ratios),
        "by_kind": {kind: describe(of_kind) for kind, of_kind in sorted(by_kind.items())},
        "goals": goals(ratios),
    }
    write_result(options.output, document | provenance())


if __name__ == "__main__":
    main()
