"""How much repeated measurements of the same nets, taken later by other processes, differ from the first one.

This is a lower limit for the error of any predictor. Takes the fresh nets of ``predictor_device.py``,
measures each ``--repeats`` times more on the scale of their store, in another order each time, and scores the stored
predictions against each round. Writes ``benchmarks/results/remeasured.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from devices.protocol import MeasurementProtocol
from devices.registry import get_device
from latency.campaign import run_campaign
from latency.campaign_items import CampaignItem
from latency.scores import Scores
from latency.store import MeasurementStore
from provenance import RESULTS, provenance, write_result

RESULT = RESULTS / "remeasured.json"
GOAL_PERCENT = 2.0
"""The goal for repeats on an idle machine (``measurement.py``)."""


def main() -> None:
    """Measures, compares, writes the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--store", type=Path, required=True, help="of the predictor_device.py that made the result")
    parser.add_argument("--result", type=Path, default=RESULTS / "predictor_device.json")
    parser.add_argument("--again", type=Path, required=True, help="store of the repeats; is continued")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    device = get_device(options.device)
    info = device.info()
    rows = {row["label"]: row for row in json.loads(options.result.read_text())["rows"]}
    with MeasurementStore(options.store) as store, MeasurementStore(options.again) as again:
        graphs = {one.measurement.label: one.graph for one in store.measurements(info.fingerprint)}
        nominal_ms = store.nominal_reference_ms(info)
        if nominal_ms is None or not set(rows) <= set(graphs):
            sys.exit(f"{options.store} is not the store that {options.result} was made from, on this machine")
        again.remember_reference(info, nominal_ms)
        for repeat in range(options.repeats):
            order = np.random.default_rng(repeat).permutation(list(rows)).tolist()
            items = [CampaignItem(f"{label}-{repeat}", graphs[label], "campaign") for label in order]
            run_campaign(device, again, items, protocol=MeasurementProtocol(), seed=repeat)
        repeated = [one.measurement for one in again.measurements(info.fingerprint)]
    found = {one.label: one.latency_ms for one in repeated}
    widths = [50 * (one.interval_ms[1] - one.interval_ms[0]) / one.latency_ms for one in repeated]
    first = [row["measured_ms"] for row in rows.values()]
    rounds = np.array([first, *([found[f"{label}-{n}"] for label in rows] for n in range(options.repeats))])
    spread = 100 * np.log(rounds).std(axis=0, ddof=1)
    typical = float(np.sqrt((spread**2).mean()))
    predicted = [row["predicted_ms"] for row in rows.values()]
    truths: dict[str, Any] = {f"round {number}": each.tolist() for number, each in enumerate(rounds)}
    truths["median of the rounds"] = np.median(rounds, axis=0).tolist()
    document = {
        "benchmark": "remeasured",
        "device": info.to_json(),
        "nets": len(rows),
        "rounds": len(rounds),
        "spread_percent": {
            "median": float(np.median(spread)),
            "root_mean_square": typical,
            "95th_percentile": float(np.quantile(spread, 0.95)),
            "greatest": float(spread.max()),
        },
        "half_width_of_an_interval_percent": {"median": float(np.median(widths))},
        "prediction_scored_on": {name: asdict(Scores.of(predicted, truth)) for name, truth in truths.items()},
        "goals": [
            {
                "what": "standard deviation of a net over rounds, root mean square, %",
                "goal": f"<= {GOAL_PERCENT:g}",
                "value": typical,
                "met": typical <= GOAL_PERCENT,
            }
        ],
    }
    write_result(options.output, document | provenance())


if __name__ == "__main__":
    main()
