"""How well latency is predicted on a new device from a few measured nets and the data of other devices.

Each runtime of a workspace is new once: the prior is learned on the devices of all other runtimes, a few of its nets
are known, chosen as ``latseg profile`` chooses them or drawn at random, and others are predicted. Beside it stand the
prior that comes with the package (learned on other machines or, where it knows this very device, without it), the same
prior without its biases, and none. Takes a workspace that ``latseg profile`` filled with several runtimes. Writes
``benchmarks/results/new_device_runtimes.json`` after each runtime; runtimes that it holds with as many draws are not
computed again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from devices.device_info import DeviceInfo
from latency.fit import fit_device
from latency.predictor import LatencyPredictor
from latency.predictors.additive.lookup_table import LookupTablePredictor
from latency.predictors.additive.operator_counts import OperatorCountsPredictor
from latency.predictors.transfer.few_samples import FewSamplesPredictor
from latency.predictors.transfer.informative_nets import informative_nets
from latency.predictors.transfer.prior import MIN_NETS, Prior
from latency.predictors.transfer.prior_folder import SHIPPED, load_prior
from latency.predictors.weighing import Weighing
from latency.sample import LatencySample
from latency.scores import Scores
from latseg.pretraining import source_devices
from latseg.workspace_folder import WorkspaceFolder
from provenance import RESULTS, provenance, save, write_result

RESULT = RESULTS / "new_device_runtimes.json"
COUNTS = (10, 20)
GOAL_NETS = 20
GOAL_PERCENT = 10.0
"""Mean error from 20 nets: what we call usable. Ours, not a published figure."""
Predict = Callable[[list[LatencySample]], Callable[[Sequence[LatencySample]], list[float]]]


def predictors(learned: Prior, shipped: Prior | None, info: DeviceInfo) -> dict[str, Predict]:
    """Predictors by name: from known samples to a function that predicts others."""

    def plain(make: Callable[[], LatencyPredictor]) -> Predict:
        def fit(known: list[LatencySample]) -> Callable[[Sequence[LatencySample]], list[float]]:
            predictor = make()
            predictor.fit(known, seed=0)
            return lambda samples: [one.latency_ms for one in predictor.predict([sample.graph for sample in samples])]

        return fit

    def fitted(using: Prior | None) -> Predict:
        def fit(known: list[LatencySample]) -> Callable[[Sequence[LatencySample]], list[float]]:
            bounded = fit_device(known, info, prior=using).predictor
            return lambda samples: [one.latency_ms for one in bounded.predict([sample.graph for sample in samples])]

        return fit

    return {
        "few_samples": plain(lambda: FewSamplesPredictor(learned)),
        "few_samples, no biases": plain(lambda: FewSamplesPredictor(replace(learned, weighing=Weighing()))),
        "few_samples, shipped prior": plain(lambda: FewSamplesPredictor(shipped)),
        "fit": fitted(learned),
        "fit, shipped prior": fitted(shipped),
        "fit, no prior": fitted(None),
        "lookup_table": plain(LookupTablePredictor),
        "operator_counts": plain(OperatorCountsPredictor),
    }


def scored(predict: Predict, known: list[LatencySample], others: list[LatencySample]) -> dict[str, float]:
    predicted = predict(known)(others)
    return asdict(Scores.of(predicted, [sample.latency_ms for sample in others]))


def means(rows: list[dict[str, float]]) -> dict[str, float]:
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}


def one_family(family: str, workspace: Path, draws: int) -> list[dict[str, Any]]:
    """The figures of the devices of one family, with those of others as sources."""
    devices = source_devices([WorkspaceFolder(workspace)], MIN_NETS)
    started = time.monotonic()
    learned = Prior.learn([source for _, source in devices if source.family != family])
    seconds = round(time.monotonic() - started, 1)
    rows = []
    for info, source in devices:
        if source.family == family:
            whole = [sample for sample in source.samples if not sample.single_operator]
            shipped = load_prior(SHIPPED).without(info.fingerprint)
            figures = {str(count): one_count(learned, shipped, info, whole, count, draws) for count in COUNTS}
            row = {"device": info.name, "threads": info.threads, "family": family, "nets": len(whole)}
            rows.append(row | {"prior_seconds": seconds, "figures": figures})
    return rows


def one_count(
    learned: Prior, shipped: Prior | None, info: DeviceInfo, whole: list[LatencySample], count: int, draws: int
) -> dict[str, dict[str, float]]:
    """Mean scores of each predictor from ``count`` known nets."""
    rows: dict[str, list[dict[str, float]]] = {}
    for draw in range(draws):
        order = np.random.default_rng([draw, count]).permutation(len(whole)).tolist()
        # A third is always kept for the test, so that chosen and drawn nets are compared on the same nets.
        test, pool = order[: len(whole) // 3], order[len(whole) // 3 :]
        chosen = informative_nets(learned, [whole[place].graph for place in pool], count)
        for kind, places in (("drawn", pool[:count]), ("chosen", [pool[place] for place in chosen])):
            for name, predict in predictors(learned, shipped, info).items():
                if kind == "drawn" or name == "fit":
                    known, others = [whole[place] for place in places], [whole[place] for place in test]
                    rows.setdefault(f"{name}; nets {kind}", []).append(scored(predict, known, others))
    found = {name: means(each) for name, each in rows.items()}
    for name, each in found.items():
        print(info.name, info.threads, count, name, f"{each['mape_percent']:.1f} %", file=sys.stderr, flush=True)
    return found


def known_rows(path: Path, draws: int) -> list[dict[str, Any]]:
    """Of the result so far."""
    before = json.loads(path.read_text()) if path.exists() else {}
    return list(before["devices"]) if before.get("draws") == draws else []


def document(rows: list[dict[str, Any]], draws: int) -> dict[str, Any]:
    """The result: rows by device, and the goal for each."""
    errors = [row["figures"][str(GOAL_NETS)]["fit; nets chosen"]["mape_percent"] for row in rows]
    goals = [
        {
            "what": f"{row['device']}, {row['threads']} threads: mean error from {GOAL_NETS} nets, %",
            "goal": f"<= {GOAL_PERCENT:g}",
            "value": error,
            "met": error <= GOAL_PERCENT,
        }
        for row, error in zip(rows, errors, strict=True)
    ]
    return {"benchmark": "new_device", "draws": draws, "devices": rows, "goals": goals}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, required=True, help="with several profiled devices")
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    rows = known_rows(options.output, options.draws)
    known = {row["family"] for row in rows}
    devices = source_devices([WorkspaceFolder(options.workspace)], MIN_NETS)
    new = sorted({source.family for _, source in devices} - known)
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as pool:
        found = [pool.submit(one_family, family, options.workspace, options.draws) for family in new]
        for each in as_completed(found):
            rows += each.result()
            save(options.output, document(rows, options.draws) | provenance())
    write_result(options.output, document(rows, options.draws) | provenance())


if __name__ == "__main__":
    main()
