"""How well ``fit`` predicts latency on each runtime of this CPU: a campaign of nets of ``portrait``, then fresh ones.

Shorter than ``predictor_device.py``, which compares predictors and measures nets from outside the space, too. Rows of
devices and seeds that are not measured again are kept.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from predictor_device import profile, sampled

from devices.device import Device
from devices.registry import get_device
from latency.campaign_items import campaign_items
from latency.fit import fit_device
from latency.operators.serialize import graph_digest
from latency.scores import Scores
from latency.store import MeasurementStore
from provenance import RESULTS, provenance, write_result

RESULT = RESULTS / "predictor_runtimes.json"
WITHIN_10, WITHIN_5 = 99.0, 90.0
"""Goals, in percent of the fresh nets."""


def row(device: Device, store: MeasurementStore, options: argparse.Namespace) -> dict[str, Any]:
    """Measures, fits and predicts."""
    seed, info = options.seed, device.info()
    items = campaign_items(sampled(options.models, seed), operator_limit=options.operators)
    seconds = profile(store, device, items, seed)
    labels = {item.label for item in items}
    new = [graph for graph in sampled(options.fresh, seed + 1000) if graph_digest(graph) not in labels]
    profile(store, device, campaign_items(new, operator_limit=0), seed + 1000)
    samples = store.samples(info.fingerprint)
    fresh_labels = {graph_digest(graph) for graph in new}
    fresh = [sample for sample in samples if sample.label in fresh_labels]
    predictor = fit_device([sample for sample in samples if sample.label in labels], info, seed=seed).predictor
    found = predictor.predict([sample.graph for sample in fresh])
    truth = [sample.latency_ms for sample in fresh]
    floor = store.noise_floor(info)
    return {
        "device": info.to_json(),
        "campaign": {"nets": options.models, "operators": options.operators, "seconds_of_last_call": round(seconds)},
        "noise_floor_percent": floor.normalised_percent if floor else None,
        "fresh_nets": len(fresh),
        "latency_ms": {"least": min(truth), "greatest": max(truth)},
        **asdict(Scores.of([one.latency_ms for one in found], truth)),
        "coverage_of_bound": float(np.mean([ms <= one.upper_ms for ms, one in zip(truth, found, strict=True)])),
        "slack_of_bound": float(np.mean([one.upper_ms / ms for ms, one in zip(truth, found, strict=True)])),
        "nets": [
            {"measured_ms": ms, "predicted_ms": one.latency_ms, "upper_ms": one.upper_ms}
            for ms, one in zip(truth, found, strict=True)
        ],
    }


def goals(rows: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Of every device."""
    return [
        {"what": f"{name}: {what}, %", "goal": goal, "value": each[key], "met": bool(each[key] >= goal)}
        for name, each in rows.items()
        for what, key, goal in (
            ("within 5 %", "within_5_percent", WITHIN_5),
            ("within 10 %", "within_10_percent", WITHIN_10),
        )
    ]


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", nargs="+", required=True)
    parser.add_argument("--models", type=int, default=300)
    parser.add_argument("--operators", type=int, default=40)
    parser.add_argument("--fresh", type=int, default=100)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--store", type=Path, required=True, help="keep the measurements here, and go on from them")
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    rows = json.loads(options.output.read_text())["rows"] if options.output.exists() else {}
    for name in options.devices:
        with MeasurementStore(options.store) as store:
            rows[f"{name}, seed {options.seed}"] = row(get_device(name), store, options) | provenance()
        write_result(options.output, {"benchmark": "predictor_runtimes", "rows": rows, "goals": goals(rows)})


if __name__ == "__main__":
    main()
