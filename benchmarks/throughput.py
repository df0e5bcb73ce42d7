"""How many architectures are checked in a second on one core, and how long the fit of a device takes.

A check is what a search does with a candidate: plan, parameters, operator graph, batched prediction, bound
(``Budgets.check_many``). Rounds of checks and of their parts take turns, on architectures that were not seen before;
the median round counts. Writes ``benchmarks/results/throughput.json``.

With ``--store`` of ``predictor_device.py`` the campaign is taken from there, and its time from that result.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from predictor_device import profile, sampled

from devices.registry import get_device
from latency.bounded import BoundedPredictor
from latency.campaign_items import campaign_items
from latency.fit import fit_device
from latency.store import MeasurementStore
from provenance import RESULTS, provenance, write_result
from search.constraints.budgets import Budgets, LatencyBudget
from search.spaces.portrait.space import PortraitSpace

RESULT = RESULTS / "throughput.json"
SPACE = PortraitSpace()
ROUND = 1000
"""Architectures in a round."""


def budgets_of(predictor: BoundedPredictor, maximum_ms: float) -> Budgets:
    return Budgets(None, (LatencyBudget("cpu", maximum_ms, predictor),))


def rates(predictor: BoundedPredictor, rounds: int) -> dict[str, float]:
    """Architectures in a second on one core, in the median round."""
    budgets = budgets_of(predictor, 1.0)
    seconds: dict[str, list[float]] = {}

    def timed(what: str, started: float) -> None:
        seconds.setdefault(what, []).append(time.perf_counter() - started)

    for number in range(rounds + 1):
        fresh = SPACE.sample(2 * ROUND, Random(f"throughput/{number}"))
        checked, lowered = fresh[:ROUND], fresh[ROUND:]
        started = time.perf_counter()
        budgets.check_many(SPACE, checked)
        timed("full_check", started)
        started = time.perf_counter()
        graphs = [SPACE.lower(architecture) for architecture in lowered]
        timed("plan_and_lower", started)
        started = time.perf_counter()
        predictor.predict(graphs)
        timed("predict_and_bound", started)
    # The first round fills caches that a search fills with its sample.
    return {what: ROUND / float(np.median(each[1:])) for what, each in seconds.items()}


def goals(found: dict[str, float], fit_seconds: float, campaign_seconds: float) -> list[dict[str, Any]]:
    rows = [
        ("full checks in a second, one core", ">= 2000", found["full_check"], found["full_check"] >= 2000),
        ("fit, s", "<= 90", fit_seconds, fit_seconds <= 90),
        ("campaign, s", "<= 600", campaign_seconds, campaign_seconds <= 600),
    ]
    return [{"what": what, "goal": goal, "value": value, "met": met} for what, goal, value, met in rows]


def campaign(store: MeasurementStore, result: Path | None, models: int, seed: int) -> float:
    """Seconds that the nets took: measured now, or read where the store holds them."""
    if result is not None:
        return float(json.loads(result.read_text())["campaign"]["seconds_of_last_call"])
    items = campaign_items(sampled(models, seed), operator_limit=40)
    return profile(store, get_device("cpu"), items, seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=300)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--store", type=Path, help="measurements of predictor_device.py")
    parser.add_argument("--result", type=Path, help="result of the predictor_device.py that wrote the store")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    if (options.store is None) != (options.result is None):
        parser.error("--store and --result belong together")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        store = MeasurementStore(options.store or Path(folder) / "measurements.sqlite")
        seconds = campaign(store, options.result, options.models, options.seed)
        info = get_device("cpu").info()
        graphs = {item.label for item in campaign_items(sampled(options.models, options.seed), operator_limit=40)}
        samples = [sample for sample in store.samples(info.fingerprint) if sample.label in graphs]
    print(f"{len(samples)} samples; fitting", file=sys.stderr)
    fitted = fit_device(samples, info, seed=options.seed)
    predictor = fitted.predictor
    speed = rates(predictor, options.rounds)
    document = {
        "benchmark": "throughput",
        "architectures_per_second": {what: round(value) for what, value in speed.items()},
        "operators_of_a_net": float(np.mean([len(SPACE.lower(a).operators) for a in SPACE.sample(300, Random(1))])),
        "fit_seconds": fitted.summary.seconds,
        "campaign_seconds": seconds,
        "campaign_models": options.models,
        "goals": goals(speed, fitted.summary.seconds, seconds),
    }
    write_result(options.output, document | provenance())


if __name__ == "__main__":
    main()
