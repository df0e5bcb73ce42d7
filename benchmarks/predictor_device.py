"""How well latency is predicted on this CPU: every predictor, on nets of the space that none has seen and outside it.

A campaign of nets of the portrait space, each predictor fitted on it, then fresh nets of another seed, measured
afterwards, and nets from outside the space (``outside_nets.py``): predicted as they come, and once more after
``profile --for`` has measured their operators. Writes ``benchmarks/results/predictor_device.json``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from flops_baseline import fit_flops
from outside_nets import write_outside_nets

from devices.device import Candidate, Device
from devices.protocol import Protocol
from devices.registry import get_device
from latency.campaign import CampaignItem, campaign_items, operator_items, run_campaign
from latency.fit import fit_device
from latency.measuring import measure_together
from latency.operators.from_onnx import from_onnx
from latency.operators.operator import OperatorGraph
from latency.operators.serialize import graph_digest
from latency.predictor import LatencyPredictor
from latency.predictors.arbitration import ArbitratedPredictor
from latency.predictors.registry import predictor_class, predictor_names
from latency.sample import LatencySample
from latency.scores import Scores
from latency.store import MeasurementStore
from provenance import RESULTS, provenance, write_result
from search.portrait_space import PortraitSpace

RESULT = RESULTS / "predictor_device.json"
GROUP = 5
"""Nets from outside the space that share a worker."""


def profile(store: MeasurementStore, device: Device, items: Sequence[CampaignItem], seed: int) -> float:
    """Measures what the store does not hold yet; seconds."""
    result = run_campaign(
        device,
        store,
        items,
        protocol=Protocol(),
        seed=seed,
        on_progress=lambda p: print(f"{p.done} done, {p.left} left", file=sys.stderr) if p.done % 25 == 0 else None,
    )
    return result.seconds


def sampled(count: int, seed: int) -> list[OperatorGraph]:
    """Nets of the space."""
    return [PortraitSpace().lower(architecture) for architecture in PortraitSpace().sample(count, Random(seed))]


def measured(store: MeasurementStore, device: Device, graphs: Sequence[OperatorGraph]) -> list[LatencySample]:
    """The stored samples of these nets."""
    labels = {graph_digest(graph) for graph in graphs}
    return [sample for sample in store.samples(device.info().fingerprint) if sample.label in labels]


def outside(store: MeasurementStore, device: Device, folder: Path, seed: int) -> dict[str, tuple[OperatorGraph, float]]:
    """Graph and measured milliseconds of the nets from outside the space."""
    paths = write_outside_nets(folder)
    candidates = [Candidate(name, path) for name, path in paths.items()]
    groups = [candidates[start : start + GROUP] for start in range(0, len(candidates), GROUP)]
    results = [one for group in groups for one in measure_together(device, group, store, seed=seed)]
    return {one.label: (from_onnx(paths[one.label]), one.latency_ms) for one in results}


def figures(predictor: LatencyPredictor, graphs: Sequence[OperatorGraph], truth: Sequence[float]) -> dict[str, float]:
    """Scores of one predictor."""
    return asdict(Scores.of([one.latency_ms for one in predictor.predict(graphs)], truth))


def fitted(known: Sequence[LatencySample], seed: int) -> tuple[dict[str, LatencyPredictor], dict[str, float]]:
    """Every predictor on the same samples, and the seconds that its fit took."""
    predictors: dict[str, LatencyPredictor] = {}
    seconds = {}
    for name in predictor_names():
        if name == "few_samples":  # needs other devices
            continue
        started = time.monotonic()
        predictors[name] = predictor_class(name)()
        predictors[name].fit(known, seed=seed)
        seconds[name] = round(time.monotonic() - started, 1)
        print(f"fitted {name}", file=sys.stderr)
    return predictors, seconds


def goals(scores: dict[str, dict[str, float]], outside_error: float, nets: int) -> list[dict[str, Any]]:
    best = scores["arbitrated"]
    others = [one["mape_percent"] for name, one in scores.items() if name not in ("arbitrated", "attention")]
    ranked = best["mape_percent"]
    rows = [
        (f"within 10 %, {nets} nets", ">= 99", best["within_10_percent"], best["within_10_percent"] >= 99),
        (f"within 5 %, {nets} nets", ">= 90", best["within_5_percent"], best["within_5_percent"] >= 90),
        ("mean error, best of the other methods / arbitrated", "> 1", min(others) / ranked, min(others) > ranked),
        ("mean error outside the space, %", "<= 15", outside_error, outside_error <= 15),
    ]
    return [{"what": what, "goal": goal, "value": value, "met": met} for what, goal, value, met in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--models", type=int, default=300)
    parser.add_argument("--operators", type=int, default=40)
    parser.add_argument("--fresh", type=int, default=100)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--store", type=Path, help="keep the measurements here, and go on from them")
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    device, seed = get_device(options.device), options.seed
    info = device.info()
    with tempfile.TemporaryDirectory() as folder:
        store = MeasurementStore(options.store or Path(folder) / "measurements.sqlite")
        nets = sampled(options.models, seed)
        items = campaign_items(nets, operator_limit=options.operators)
        seconds = profile(store, device, items, seed)
        labels = {item.label for item in items}
        known = [sample for sample in store.samples(info.fingerprint) if sample.label in labels]
        new = [graph for graph in sampled(options.fresh, seed + 1000) if graph_digest(graph) not in labels]
        profile(store, device, campaign_items(new, operator_limit=0), seed + 1000)
        fresh = measured(store, device, new)
        foreign = outside(store, device, Path(folder), seed)
        foreign_graphs = [graph for graph, _ in foreign.values()]
        extra = operator_items(foreign_graphs)
        extra_seconds = profile(store, device, extra, seed + 2000)
        wider = labels | {item.label for item in extra}
        informed = [sample for sample in store.samples(info.fingerprint) if sample.label in wider]
        floor = store.noise_floor(info)
        store.close()
    graphs, truth = [sample.graph for sample in fresh], [sample.latency_ms for sample in fresh]
    predictors, fit_seconds = fitted(known, seed)
    scores = {name: figures(predictor, graphs, truth) for name, predictor in predictors.items()}
    flops = fit_flops(known)
    scores["flops"] = asdict(Scores.of(flops(graphs), truth))
    foreign_truth = [ms for _, ms in foreign.values()]
    arbitrated = predictors["arbitrated"]
    assert isinstance(arbitrated, ArbitratedPredictor)
    bounded = fit_device(known, info, seed=seed).predictor
    outside_scores = {name: figures(each, foreign_graphs, foreign_truth) for name, each in predictors.items()}
    outside_scores["flops"] = asdict(Scores.of(flops(foreign_graphs), foreign_truth))
    again = fit_device(informed, info, seed=seed).predictor.predict(foreign_graphs)
    told_again = Scores.of([one.latency_ms for one in again], foreign_truth)
    outside_scores["arbitrated, their operators profiled"] = asdict(told_again)
    rows = list(zip(fresh, bounded.predict(graphs), strict=True))
    document = {
        "benchmark": "predictor_device",
        "device": info.to_json(),
        "noise_floor_percent": floor.normalised_percent if floor else None,
        "campaign": {"nets": options.models, "operators": options.operators, "seconds_of_last_call": round(seconds, 1)},
        "operators_outside": {"models": len(extra), "seconds_of_last_call": round(extra_seconds, 1)},
        "fit_seconds": fit_seconds,
        "fresh_nets": len(fresh),
        "latency_ms": {"least": min(truth), "greatest": max(truth)},
        "figures": scores,
        "outside_the_space": outside_scores,
        "note": "every predictor was fitted on all profiled nets and on none of the fresh ones",
        "weights": arbitrated.weights,
        "coverage_of_bound": float(np.mean([sample.latency_ms <= one.upper_ms for sample, one in rows])),
        "slack_of_bound": float(np.mean([one.upper_ms / sample.latency_ms for sample, one in rows])),
        "bound": bounded.calibration.statement,
        "rows": [
            {"label": s.label, "measured_ms": s.latency_ms, "predicted_ms": p.latency_ms, "upper_ms": p.upper_ms}
            for s, p in rows
        ],
        "outside_rows": [
            {
                "net": name,
                "measured_ms": ms,
                "predicted_ms": first.latency_ms,
                "upper_ms": first.upper_ms,
                "profiled_ms": second.latency_ms,
                "profiled_upper_ms": second.upper_ms,
            }
            for (name, (_, ms)), first, second in zip(
                foreign.items(), bounded.predict(foreign_graphs), again, strict=True
            )
        ],
        "goals": goals(scores, outside_scores["arbitrated, their operators profiled"]["mape_percent"], options.models),
    }
    write_result(options.output, document | provenance())


if __name__ == "__main__":
    main()
