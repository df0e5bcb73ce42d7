"""How well latency is predicted on this CPU: every predictor, on new nets of the space and on nets outside it.

A campaign of nets of the portrait space, each predictor fitted on it, then new nets of another seed, measured
afterwards, and nets from outside the space (``outside_nets.py``): predicted without preparation, and once more after
``profile --for`` has measured their operators. Writes ``benchmarks/results/predictor_device.json``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from flops_baseline import fit_flops
from outside_nets import write_outside_nets

from devices.device import Candidate, Device
from devices.device_info import DeviceInfo
from devices.protocol import MeasurementProtocol
from devices.registry import get_device
from latency.campaign import run_campaign
from latency.campaign_items import DEFAULT_PASSES, CampaignItem, campaign_items, operator_items
from latency.fit import fit_device
from latency.measuring import measure_together
from latency.operators.from_onnx import from_onnx
from latency.operators.operator import OperatorGraph
from latency.operators.serialize import graph_digest
from latency.predictor import LatencyPredictor
from latency.predictors.registry import predictor_class, predictor_names
from latency.sample import LatencySample
from latency.scores import Scores
from latency.store import MeasurementStore
from provenance import RESULTS, provenance, write_result
from search.spaces.portrait.space import PortraitSpace

RESULT = RESULTS / "predictor_device.json"
GROUP = 5
"""Nets from outside the space that share a worker."""
COLUMNS = {"mape_percent": -1, "within_5_percent": 1, "within_10_percent": 1, "spearman": 1}
"""Scores by which predictors are compared, and whether less or more is better."""
INFORMED = "attention, their operators profiled"
OWN = ("attention", INFORMED)
"""Not among the methods that attention is compared with."""


def profile(store: MeasurementStore, device: Device, items: Sequence[CampaignItem], seed: int) -> float:
    """Measures what the store does not hold yet; seconds."""
    result = run_campaign(
        device,
        store,
        items,
        protocol=MeasurementProtocol(),
        passes=DEFAULT_PASSES,
        seed=seed,
        on_progress=lambda p: print(f"{p.done} of {p.total}", file=sys.stderr) if p.done % 25 == 0 else None,
    )
    return result.seconds


def sampled(count: int, seed: int) -> list[OperatorGraph]:
    """Nets of the space."""
    return [PortraitSpace().lower(architecture) for architecture in PortraitSpace().sample(count, Random(seed))]


def outside(store: MeasurementStore, device: Device, folder: Path, seed: int) -> dict[str, tuple[OperatorGraph, float]]:
    """Graph and measured milliseconds of the nets from outside the space, measured once."""
    paths = write_outside_nets(folder)
    fingerprint = device.info().fingerprint
    graphs = {name: from_onnx(path) for name, path in paths.items()}
    new = [name for name, graph in graphs.items() if store.latest_of(fingerprint, graph) is None]
    candidates = [Candidate(name, paths[name]) for name in new]
    for start in range(0, len(candidates), GROUP):
        measure_together(device, candidates[start : start + GROUP], store, seed=seed)
    stored = ((name, graph, store.latest_of(fingerprint, graph)) for name, graph in graphs.items())
    return {name: (graph, one.measurement.latency_ms) for name, graph, one in stored if one is not None}


def figures(predictor: LatencyPredictor, graphs: Sequence[OperatorGraph], truth: Sequence[float]) -> dict[str, float]:
    """Scores of one predictor."""
    return asdict(Scores.of([one.latency_ms for one in predictor.predict(graphs)], truth))


def fitted(known: Sequence[LatencySample], seed: int) -> tuple[dict[str, LatencyPredictor], dict[str, float]]:
    """Every predictor on the same samples, and the seconds that its fit took."""
    predictors: dict[str, LatencyPredictor] = {}
    seconds = {}
    for name in predictor_names():
        if name in ("few_samples", "arbitrated"):  # for devices with few nets
            continue
        started = time.monotonic()
        predictors[name] = predictor_class(name)()
        predictors[name].fit(known, seed=seed)
        seconds[name] = round(time.monotonic() - started, 1)
        print(f"fitted {name}", file=sys.stderr)
    return predictors, seconds


def goals(
    scores: dict[str, dict[str, float]], outside_scores: dict[str, dict[str, float]], nets: int
) -> list[dict[str, Any]]:
    """Goals of the predictor that ``fit`` returns, then whether attention is first in every column."""
    best = scores["attention"]
    outside_error = outside_scores[INFORMED]["mape_percent"]
    rows = [
        (f"within 10 %, {nets} nets", ">= 99", best["within_10_percent"], best["within_10_percent"] >= 99),
        (f"within 5 %, {nets} nets", ">= 90", best["within_5_percent"], best["within_5_percent"] >= 90),
        ("mean error outside the space, %", "<= 15", outside_error, outside_error <= 15),
    ]
    columns = [(name, name, scores, sign) for name, sign in COLUMNS.items()]
    columns.append(("mape_percent, outside the space", "mape_percent", outside_scores, -1))
    for what, key, table, sign in columns:
        other = max((name for name in table if name not in OWN), key=lambda name: sign * table[name][key])
        mine, theirs = table["attention"][key], table[other][key]
        sense = ">=" if sign > 0 else "<="
        rows.append((f"attention first: {what}", f"{sense} {theirs:.4g} ({other})", mine, sign * mine >= sign * theirs))
    return [{"what": what, "goal": goal, "value": value, "met": bool(met)} for what, goal, value, met in rows]


@dataclass(frozen=True)
class Measured:
    """All results of the campaign."""

    known: list[LatencySample]
    """The profiled nets and single operators."""
    informed: list[LatencySample]
    """The same and the operators of the nets from outside."""
    fresh: list[LatencySample]
    outside: dict[str, tuple[OperatorGraph, float]]
    """Graph and measured milliseconds by name."""
    facts: dict[str, Any]
    """For the document."""


def measure(device: Device, options: argparse.Namespace) -> Measured:
    """Profiles, then measures the fresh nets, those from outside and their operators."""
    info, seed = device.info(), options.seed
    with (
        tempfile.TemporaryDirectory() as folder,
        MeasurementStore(options.store or Path(folder) / "it.sqlite") as store,
    ):
        items = campaign_items(sampled(options.models, seed), operator_limit=options.operators)
        seconds = profile(store, device, items, seed)
        labels = {item.label for item in items}
        new = [graph for graph in sampled(options.fresh, seed + 1000) if graph_digest(graph) not in labels]
        profile(store, device, campaign_items(new, operator_limit=0), seed + 1000)
        foreign = outside(store, device, Path(folder), seed)
        extra = operator_items([graph for graph, _ in foreign.values()])
        extra_seconds = profile(store, device, extra, seed + 2000)
        floor = store.noise_floor(info)
        campaign = {"nets": options.models, "operators": options.operators}
        return Measured(
            known=_labelled(store, device, labels),
            informed=_labelled(store, device, labels | {item.label for item in extra}),
            fresh=_labelled(store, device, {graph_digest(graph) for graph in new}),
            outside=foreign,
            facts={
                "noise_floor_percent": floor.normalised_percent if floor else None,
                "campaign": {**campaign, "seconds_of_last_call": round(seconds, 1)},
                "operators_outside": {"models": len(extra), "seconds_of_last_call": round(extra_seconds, 1)},
            },
        )


def _labelled(store: MeasurementStore, device: Device, labels: set[str]) -> list[LatencySample]:
    return [sample for sample in store.samples(device.info().fingerprint) if sample.label in labels]


def evaluate(data: Measured, info: DeviceInfo, seed: int) -> dict[str, Any]:
    """Every predictor on the new nets and on those from outside, and the bound of the one that ``fit`` returns."""
    graphs, truth = [sample.graph for sample in data.fresh], [sample.latency_ms for sample in data.fresh]
    foreign, foreign_truth = (list(each) for each in zip(*data.outside.values(), strict=True))
    predictors, fit_seconds = fitted(data.known, seed)
    flops = fit_flops(data.known)
    scores = {name: figures(each, graphs, truth) for name, each in predictors.items()}
    outside_scores = {name: figures(each, foreign, foreign_truth) for name, each in predictors.items()}
    scores["flops"] = asdict(Scores.of(flops(graphs), truth))
    outside_scores["flops"] = asdict(Scores.of(flops(foreign), foreign_truth))
    bounded = fit_device(data.known, info, seed=seed).predictor
    informed = fit_device(data.informed, info, seed=seed).predictor.predict(foreign)
    outside_scores[INFORMED] = asdict(Scores.of([one.latency_ms for one in informed], foreign_truth))
    rows = list(zip(data.fresh, bounded.predict(graphs), strict=True))
    return {
        "fit_seconds": fit_seconds,
        "fresh_nets": len(data.fresh),
        "latency_ms": {"least": min(truth), "greatest": max(truth)},
        "figures": scores,
        "outside_the_space": outside_scores,
        "note": "every predictor was fitted on all profiled nets and on none of the fresh ones",
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
                data.outside.items(), bounded.predict(foreign), informed, strict=True
            )
        ],
        "goals": goals(scores, outside_scores, sum(not sample.single_operator for sample in data.known)),
    }


def main() -> None:
    """Measures, scores, writes the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--models", type=int, default=300)
    parser.add_argument("--operators", type=int, default=40)
    parser.add_argument("--fresh", type=int, default=100)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--store", type=Path, help="keep the measurements here, and go on from them")
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    device = get_device(options.device)
    data = measure(device, options)
    document = {"benchmark": "predictor_device", "device": device.info().to_json(), **data.facts}
    write_result(options.output, document | evaluate(data, device.info(), options.seed) | provenance())


if __name__ == "__main__":
    main()
