"""Latency predictors on the published latencies of NAS-Bench-201, with the code that serves one's own devices.

Two protocols:

- 900 nets of one device: the nets 0 to 899 to learn from, the nets 900 to 1899 to be predicted, both without dead ones
  (no path from input to output).
- A new device from 10 or 20 nets (HELP, Lee et al. 2021): what nine source devices measured of the nets 0 to 899 is
  known; the nets are drawn from 0 to 899, the queries are 900 to 1899, both without the fastest and slowest tenth.

``--targets`` runs the six target devices, which nothing was chosen on; without it the four validation devices. Nothing
of the published table enters the repository. Writes ``benchmarks/results/predictor_public.json``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from nasbench201 import EDGES, PublicLatencies
from public_devices import COUNTS, WORST, Nets, few_samples, learned_prior, scored

from latency.predictors.additive.boosted_trees import BoostedTreesPredictor
from latency.predictors.additive.operator_counts import OperatorCountsPredictor
from latency.predictors.attention.predictor import AttentionPredictor
from latency.predictors.attention.training import TrainingSettings
from provenance import RESULTS, provenance, write_result

RESULT = RESULTS / "predictor_public.json"
TABLE = Path(__file__).resolve().parents[2] / "shared" / "data" / "nasbench201_latency" / "nasbench201_latency.npz"
TRAINING, QUERIES = np.arange(900), np.arange(900, 1900)
WELL_MEASURED = {"gold_6226": (96, 2.55), "raspi4": (74, 8.5)}
"""Goals for 900 nets: share within 10 %, mean error in percent."""
SOURCES = {
    "1080ti_1": "1080ti", "1080ti_32": "1080ti", "1080ti_256": "1080ti", "silver_4114": "silver",
    "silver_4210r": "silver", "samsung_a50": "samsung", "pixel3": "pixel", "essential_ph_1": "essential",
    "samsung_s7": "samsung",
}  # fmt: skip
"""Source devices and their families."""
VALIDATION = ("titanx_1", "titanx_32", "titanx_256", "gold_6240")
TARGETS = ("titan_rtx_256", "gold_6226", "fpga", "pixel2", "raspi4", "eyeriss")
GOALS = dict(zip(COUNTS, (0.957, 0.960), strict=True))
"""Mean rank correlation over the targets."""
HELP = 0.932
"""Published for 10 samples (Lee et al. 2021)."""


def alive(table: PublicLatencies, cell: int) -> bool:
    """Whether any path of the cell leads from its input to its output."""
    reached = {0}
    for (source, target), operation in zip(EDGES, table.cells[cell], strict=True):
        if source in reached and table.operations[operation] != "none":
            reached.add(target)
    return 3 in reached


def well_measured(
    nets: Nets, table: PublicLatencies, steps: int, threads: int
) -> dict[str, dict[str, dict[str, float]]]:
    """Scores by device and predictor, from 900 nets."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    living, asked = (np.array([net for net in part if alive(table, net)]) for part in (TRAINING, QUERIES))
    for device in WELL_MEASURED:
        training, queries = nets.samples(device, living), nets.samples(device, asked)
        predictors = (
            OperatorCountsPredictor(),
            BoostedTreesPredictor(),
            AttentionPredictor(TrainingSettings(steps=steps), threads=threads),
        )
        found[device] = {}
        for predictor in predictors:
            found[device][predictor.name] = scored(predictor, training, queries)
            print(f"{device} {predictor.name}: {found[device][predictor.name]}", file=sys.stderr)
    return found


def goals(measured: dict[str, Any], few: dict[str, Any], *, targets: bool) -> list[dict[str, Any]]:
    rows = []
    for device, (within, error) in WELL_MEASURED.items():
        best = measured.get(device, {}).get("attention")
        if best:
            share, mean = best["within_10_percent"], best["mape_percent"]
            rows.append((f"{device}, 900 nets: within 10 %", f">= {within}", share, share >= within))
            rows.append((f"{device}, 900 nets: mean error, %", f"<= {error}", mean, mean <= error))
    for count, goal in GOALS.items():
        mean = few[str(count)]["mean"]["drawn"]
        kind = "target" if targets else "validation"
        rows.append((f"{kind} devices from {count} nets: mean rank correlation", f">= {goal}", mean, mean >= goal))
        worst = max(scores[WORST] for device, scores in few[str(count)].items() if device != "mean")
        rows.append(
            (f"{kind} devices from {count} nets: greatest share of draws where the {WORST}", "0", worst, not worst)
        )
    return [{"what": what, "goal": goal, "value": value, "met": bool(met)} for what, goal, value, met in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--targets", action="store_true")
    parser.add_argument("--steps", type=int, default=4000, help="of attention on 900 nets of a target; 0: leave out")
    parser.add_argument("--prior", type=Path, help="folder of the prior: made, or read where it exists")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    table = PublicLatencies.read(options.table)
    nets = Nets(table, TRAINING, QUERIES)
    devices = TARGETS if options.targets else VALIDATION
    prior, seconds = learned_prior(nets, options.prior, SOURCES)
    few = few_samples(nets, devices, options.repeats, prior)
    measured = well_measured(nets, table, options.steps, options.threads) if options.targets and options.steps else {}
    document = {
        "benchmark": "predictor_public",
        "devices": list(devices),
        "few_samples": few,
        "prior_seconds": seconds,
        "published": {"HELP, 10 samples, targets": HELP},
        "well_measured": measured,
        "attention_steps": options.steps,
        "goals": goals(measured, few, targets=options.targets),
    }
    write_result(options.output, document | provenance())


if __name__ == "__main__":
    main()
