"""Latency predictors on the published latencies of NAS-Bench-201, with the code that serves one's own devices.

The nets 0 to 899 of one device to learn from, the nets 900 to 1899 to be predicted, both without dead ones (no path
from input to output). Nothing of the published table enters the repository. Writes
``benchmarks/results/predictor_public.json``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from nasbench201 import EDGES, PublicLatencies
from numpy.typing import NDArray

from latency.predictors.attention import AttentionPredictor
from latency.predictors.boosted_trees import BoostedTreesPredictor
from latency.predictors.operator_counts import OperatorCountsPredictor
from latency.predictors.stored import StoredPredictor
from latency.predictors.training import TrainingSettings
from latency.sample import LatencySample
from latency.scores import Scores
from provenance import RESULTS, provenance, write_result

RESULT = RESULTS / "predictor_public.json"
TABLE = Path(__file__).resolve().parents[2] / "shared" / "data" / "nasbench201_latency" / "nasbench201_latency.npz"
TRAINING, QUERIES = range(900), range(900, 1900)
DEVICES = {"gold_6226": (96, 2.55), "raspi4": (74, 8.5)}
"""Goals: share within 10 %, mean error in percent."""
EXPERIMENT = {"gold_6226": (95.0, 2.64), "raspi4": (69.5, 9.8)}
"""Reached in an experiment before this one, with tokens of one cell."""


def alive(table: PublicLatencies, cell: int) -> bool:
    """Whether any path of the cell leads from its input to its output."""
    reached = {0}
    for (source, target), operation in zip(EDGES, table.cells[cell], strict=True):
        if source in reached and table.operations[operation] != "none":
            reached.add(target)
    return 3 in reached


def samples(table: PublicLatencies, latency_ms: NDArray[np.float64], cells: Sequence[int]) -> list[LatencySample]:
    return [LatencySample(str(cell), table.graph(cell), float(latency_ms[cell])) for cell in cells]


def score(predictor: StoredPredictor, training: list[LatencySample], queries: list[LatencySample]) -> dict[str, float]:
    started = time.monotonic()
    predictor.fit(training, seed=0)
    seconds = time.monotonic() - started
    predicted = [one.latency_ms for one in predictor.predict([sample.graph for sample in queries])]
    scores = Scores.of(predicted, [sample.latency_ms for sample in queries])
    print(f"{predictor.name}: {scores.mape_percent:.2f} %, {seconds:.0f} s", file=sys.stderr)
    return {**asdict(scores), "fit_seconds": round(seconds, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    table = PublicLatencies.read(options.table)
    found: dict[str, Any] = {}
    goals = []
    for device, (within, error) in DEVICES.items():
        latency_ms = table.of(device)
        training = samples(table, latency_ms, [cell for cell in TRAINING if alive(table, cell)])
        queries = samples(table, latency_ms, [cell for cell in QUERIES if alive(table, cell)])
        settings = TrainingSettings(steps=options.steps)
        predictors = (
            OperatorCountsPredictor(),
            BoostedTreesPredictor(),
            AttentionPredictor(settings, threads=options.threads),
        )
        found[device] = {predictor.name: score(predictor, training, queries) for predictor in predictors}
        best = found[device]["attention"]
        goals += [
            {"what": f"{device}, 900 nets: within 10 %", "goal": f">= {within}", "value": best["within_10_percent"],
             "met": best["within_10_percent"] >= within},
            {"what": f"{device}, 900 nets: mean error, %", "goal": f"<= {error}", "value": best["mape_percent"],
             "met": best["mape_percent"] <= error},
        ]  # fmt: skip
    document = {
        "benchmark": "predictor_public",
        "figures": found,
        "earlier_experiment": {
            device: dict(zip(("within_10_percent", "mape_percent"), pair, strict=True))
            for device, pair in EXPERIMENT.items()
        },
        "steps": options.steps,
        "goals": goals,
    }
    write_result(options.output, document | provenance())


if __name__ == "__main__":
    main()
