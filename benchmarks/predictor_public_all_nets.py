"""A new device from 20 nets: predictions of all other nets of NAS-Bench-201 (NASFLAT, Akhauri & Abdelfattah 2024).

The source devices are those of ``predictor_public.py``; what they measured of the nets 0 to 899 is known. The 20 nets
are drawn from all 15,625, and every other net is predicted: nothing is trimmed. ``--kind`` chooses the devices: the
four validation devices, the six targets, or a source that depends on topology and is left out of the sources. Writes
``benchmarks/results/predictor_public_all_nets_<kind>.json``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nasbench201 import PublicLatencies
from predictor_public import SOURCES, TABLE, TARGETS, TRAINING, VALIDATION
from public_devices import Nets, learned_prior, scored

from latency.predictors.additive.operator_counts import OperatorCountsPredictor
from latency.predictors.stored import StoredPredictor
from latency.predictors.transfer.few_samples import FewSamplesPredictor
from latency.predictors.transfer.prior import Prior
from provenance import RESULTS, provenance, write_result

SAMPLES = 20
GOAL = 0.975
"""Mean rank correlation over the targets."""
NASFLAT = 0.959
"""Published."""
LEFT_OUT = "pixel3"
DEVICES = {
    "validation": (VALIDATION, SOURCES),
    "target": (TARGETS, SOURCES),
    "left-out": ((LEFT_OUT,), {name: family for name, family in SOURCES.items() if name != LEFT_OUT}),
}
"""By kind the devices, and the sources with their families."""


def correlations(nets: Nets, device: str, repeats: int, prior: Prior) -> dict[str, list[float]]:
    """Rank correlations by predictor, one for each draw."""
    rows: dict[str, list[float]] = {}
    measured = np.flatnonzero(nets.table.of(device) > 0)
    for repeat in range(repeats):
        shuffled = np.random.default_rng([repeat, SAMPLES]).permutation(measured)
        samples, queries = (nets.samples(device, part) for part in (shuffled[:SAMPLES], shuffled[SAMPLES:]))
        tried: tuple[StoredPredictor, ...] = (FewSamplesPredictor(prior), OperatorCountsPredictor())
        for predictor in tried:
            rows.setdefault(predictor.name, []).append(scored(predictor, samples, queries)["spearman"])
        print(f"{device} {repeat} { {name: each[-1] for name, each in rows.items()} }", file=sys.stderr)
    return rows


def means(found: dict[str, dict[str, list[float]]]) -> dict[str, float]:
    """Over the devices, by predictor."""
    names = next(iter(found.values()))
    return {name: float(np.mean([np.mean(rows[name]) for rows in found.values()])) for name in names}


def goal(kind: str, mean: float) -> dict[str, Any]:
    """Of the mean rank correlation."""
    what = f"{kind} devices from {SAMPLES} nets, all other nets: mean rank correlation"
    return {"what": what, "goal": f">= {GOAL}", "value": mean, "met": mean >= GOAL}


def main() -> None:
    """Runs the devices, writes the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--kind", choices=("validation", "target", "left-out"), default="validation")
    parser.add_argument("--prior", type=Path, help="folder of the prior: made, or read where it exists")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    table = PublicLatencies.read(options.table)
    nets = Nets(table, TRAINING, np.arange(len(TRAINING), len(table.cells)))
    devices, sources = DEVICES[options.kind]
    prior, _ = learned_prior(nets, options.prior, sources)
    found = {device: correlations(nets, device, options.repeats, prior) for device in devices}
    mean = means(found)
    document = {
        "benchmark": "predictor_public_all_nets",
        "kind": options.kind,
        "samples": SAMPLES,
        "repeats": options.repeats,
        "sources": list(sources),
        "devices": list(devices),
        "spearman": found,
        "mean": mean,
        "published": {"NASFLAT, targets": NASFLAT},
        "goals": [goal(options.kind, mean["few_samples"])],
    }
    output = options.output or RESULTS / f"predictor_public_all_nets_{options.kind.replace('-', '_')}.json"
    write_result(output, document | provenance())


if __name__ == "__main__":
    main()
