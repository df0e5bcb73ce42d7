"""How well latency is predicted on a new device from a few measured nets and the data of other devices.

Two devices with many measurements are the sources, a third one is new: a few of its nets are known, chosen as ``latseg
profile`` chooses them or sampled at random, the others are predicted. The transformer and the Gaussian processes are
trained on the sources only. Reads the stores that ``predictor_device.py`` and ``latseg profile`` wrote. Writes
``benchmarks/results/new_device.json``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from devices.device_info import DeviceInfo
from latency.fit import fit_device
from latency.predictors.additive.lookup_table import LookupTablePredictor
from latency.predictors.additive.operator_counts import OperatorCountsPredictor
from latency.predictors.transfer.few_samples import FewSamplesPredictor
from latency.predictors.transfer.informative_nets import informative_nets
from latency.predictors.transfer.prior import Prior, SourceDevice
from latency.sample import LatencySample
from latency.scores import Scores
from latency.store import MeasurementStore
from provenance import RESULTS, provenance, write_result

RESULT = RESULTS / "new_device.json"
COUNTS = (10, 20, 40, 60)
GOAL_PERCENT = 10.0
"""Mean error from 20 nets: what we call usable. Ours, not a published figure."""
Predict = Callable[[list[LatencySample]], Callable[[Sequence[LatencySample]], list[float]]]


def read(path: Path) -> tuple[DeviceInfo, list[LatencySample]]:
    """The device of a store and its samples."""
    store = MeasurementStore(path)
    (info,) = store.devices()
    return info, store.samples(info.fingerprint)


def ways(prior: Prior, info: DeviceInfo) -> dict[str, Predict]:
    """Predictors by name: from known samples to a function that predicts others."""

    def plain(make: Callable[[], Any]) -> Predict:
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
        "few_samples": plain(lambda: FewSamplesPredictor(prior)),
        "fit, with the prior": fitted(prior),
        "fit, without a prior": fitted(None),
        "lookup_table": plain(LookupTablePredictor),
        "operator_counts": plain(OperatorCountsPredictor),
    }


def scored(predict: Predict, known: list[LatencySample], others: list[LatencySample]) -> dict[str, float]:
    predicted = predict(known)(others)
    return asdict(Scores.of(predicted, [sample.latency_ms for sample in others]))


def means(rows: list[dict[str, float]]) -> dict[str, float]:
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--teacher", type=Path, action="append", required=True, help="store of one device; twice")
    parser.add_argument("--new", type=Path, required=True, help="store of the new device")
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    teachers = [read(path) for path in options.teacher]
    info, samples = read(options.new)
    whole = [sample for sample in samples if not sample.single_operator]
    started = time.monotonic()
    prior = Prior.learn([SourceDevice(each.fingerprint, each.runtime, its) for each, its in teachers])
    seconds = time.monotonic() - started
    print(f"prior: {seconds:.0f} s", file=sys.stderr)
    found: dict[str, Any] = {}
    for count in COUNTS:
        rows: dict[str, list[dict[str, float]]] = {}
        for draw in range(options.draws):
            order = np.random.default_rng([draw, count]).permutation(len(whole)).tolist()
            # A third is always kept for the test, so that chosen and sampled nets are compared on the same nets.
            test, pool = order[: len(whole) // 3], order[len(whole) // 3 :]
            chosen = informative_nets(prior, [whole[place].graph for place in pool], count)
            for kind, places in (("chosen", [pool[place] for place in chosen]), ("drawn", pool[:count])):
                for name, predict in ways(prior, info).items():
                    known, others = [whole[place] for place in places], [whole[place] for place in test]
                    rows.setdefault(f"{name}; nets {kind}", []).append(scored(predict, known, others))
        found[str(count)] = {name: means(each) for name, each in rows.items()}
        for name, each in found[str(count)].items():
            print(count, name, {key: round(value, 3) for key, value in each.items()}, file=sys.stderr)
    error = found["20"]["fit, with the prior; nets chosen"]["mape_percent"]
    document = {
        "benchmark": "new_device",
        "teachers": [f"{each.name}, threads {each.threads}, {len(its)} samples" for each, its in teachers],
        "new": f"{info.name}, threads {info.threads}, {len(whole)} nets",
        "draws": options.draws,
        "prior_seconds": round(seconds, 1),
        "figures": found,
        "goals": [
            {
                "what": "mean error from 20 nets, %",
                "goal": f"<= {GOAL_PERCENT:g}",
                "value": error,
                "met": error <= GOAL_PERCENT,
            }
        ],
    }
    write_result(options.output, document | provenance())


if __name__ == "__main__":
    main()
