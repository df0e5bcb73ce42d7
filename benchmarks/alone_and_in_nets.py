"""Compares the time of an operator within a net with that of its kernels in a single-operator model.

Also compares it with the time of the whole model, which contains reorders and what a net spends once. Reads what
``latseg profile`` has measured; ``latency.calibration.ISOLATED_WIDENING`` is derived from it.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from latency.calibration import ISOLATED_WIDENING
from latency.operators.operator import Operator
from latency.predictors.additive.kernel_groups import kernels_of
from latency.sample import LatencySample
from latency.store import MeasurementStore
from provenance import RESULTS, provenance, write_result


@dataclass(frozen=True, slots=True)
class MeasuredOperator:
    """An operator that was measured within nets and in a single-operator model."""

    operator: Operator
    in_nets_ms: float
    """Mean."""
    alone_ms: float
    """Of its kernels."""
    model_ms: float
    """Of the whole model of this operator."""


def both_ways(samples: Sequence[LatencySample]) -> list[MeasuredOperator]:
    """Operators measured both ways."""
    alone: dict[object, tuple[Operator, float, float]] = {}
    within: defaultdict[object, list[float]] = defaultdict(list)
    for sample in samples:
        for kernel in kernels_of(sample):
            operator = sample.graph.operators[kernel.operators[0]]
            if sample.alone:
                alone[operator.signature] = (operator, kernel.ms, sample.latency_ms)
            elif not sample.single_operator and len(kernel.operators) == 1:
                within[operator.signature].append(kernel.ms)
    return [
        MeasuredOperator(operator, fmean(within[key]), alone_ms, model_ms)
        for key, (operator, alone_ms, model_ms) in alone.items()
        if key in within
    ]


def describe(ratios: Sequence[float]) -> dict[str, float]:
    """Count and quantiles of the ratios."""
    quantiles = {f"quantile_{share}": float(np.quantile(ratios, share)) for share in (0.05, 0.5, 0.9, 0.95)}
    return {"operators": len(ratios), **quantiles, "largest": max(ratios)}


def goals(ratios: Sequence[float], together: float) -> list[dict[str, Any]]:
    """The widening for operators measured in isolation; for a net their sum counts."""
    limit = 1 + ISOLATED_WIDENING
    share = 100 * float(np.mean(np.array(ratios) <= limit))
    each = f"operators that take within nets at most {limit:g} times as long as alone, %"
    return [
        {"what": each, "goal": ">= 95", "value": share, "met": share >= 95},
        {"what": "all of them together, in nets / alone", "goal": f"<= {limit:g}", "value": together,
         "met": together <= limit},
    ]  # fmt: skip


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
    found = both_ways(samples)
    by_kind: defaultdict[str, list[float]] = defaultdict(list)
    for one in found:
        by_kind[one.operator.kind].append(one.in_nets_ms / one.alone_ms)
    ratios = [ratio for of_kind in by_kind.values() for ratio in of_kind]
    together = sum(one.in_nets_ms for one in found) / sum(one.alone_ms for one in found)
    document = {
        "benchmark": "alone_and_in_nets",
        "device": info.to_json(),
        "nets": sum(not sample.single_operator for sample in samples),
        "ratio_in_nets_to_alone": describe(ratios),
        "ratio_in_nets_to_whole_model": describe([one.in_nets_ms / one.model_ms for one in found]),
        "ratio_of_sums_in_nets_to_alone": together,
        "by_kind": {kind: describe(of_kind) for kind, of_kind in sorted(by_kind.items())},
        "goals": goals(ratios, together),
    }
    write_result(options.output, document | provenance())


if __name__ == "__main__":
    main()
