"""How often the bound that ``fit`` returns holds for other nets, over many draws of the training nets.

The nets of a campaign both train and calibrate (``latency/calibration.py``), where coverage is not proved;
so it is measured. Of the nets in a store, ``--known`` are drawn, a predictor is fitted and calibrated as ``fit`` does
it, and all others are predicted. Nets of all times are mixed: drift between a campaign and later nets is left out.
Reads a store that ``predictor_device.py`` wrote. Writes ``benchmarks/results/coverage.json``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from latency.calibration import Calibration
from latency.fit import few_nets, fit_predictor
from latency.sample import LatencySample
from latency.store import MeasurementStore
from provenance import RESULTS, provenance, write_result

RESULT = RESULTS / "coverage.json"
ALPHAS = (0.05, 0.1, 0.2)
GOAL = 0.01
"""Largest shortfall of the mean coverage."""


def draw(whole: list[LatencySample], single: list[LatencySample], known: int, seed: int) -> dict[str, dict[str, float]]:
    """Coverage and mean ratio of bound and measurement by alpha, of one draw."""
    order = np.random.default_rng(seed).permutation(len(whole)).tolist()
    fresh = [whole[place] for place in order[known:]]
    training = [*(whole[place] for place in order[:known]), *single]
    predictor = fit_predictor(training, few=few_nets(training), seed=seed)
    predictions = predictor.predict([sample.graph for sample in fresh])
    ratios = [sample.latency_ms / one.latency_ms for sample, one in zip(fresh, predictions, strict=True)]
    found = {}
    for alpha in ALPHAS:
        calibration = Calibration.of(list(predictor.out_of_fold.values()), alpha=alpha)
        bound_ratio = float(np.mean(calibration.factor / np.array(ratios)))
        found[f"{alpha:g}"] = {"coverage": calibration.coverage(ratios), "slack": bound_ratio}
    return found


def summary(draws: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Over the draws, by alpha."""
    found = {}
    for alpha in draws[0]:
        coverage = np.array([one[alpha]["coverage"] for one in draws])
        found[alpha] = {
            "mean_coverage": float(coverage.mean()),
            "standard_error": float(coverage.std(ddof=1) / np.sqrt(len(coverage))),
            "least_coverage": float(coverage.min()),
            "mean_slack": float(np.mean([one[alpha]["slack"] for one in draws])),
        }
    return found


def main() -> None:
    """Draws, fits, counts, writes the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, required=True, help="of one device")
    parser.add_argument("--known", type=int, default=150)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    with MeasurementStore(options.store) as store:
        (info,) = store.devices()
        samples = store.samples(info.fingerprint, sources={"campaign", "operator"})
    whole, single = ([one for one in samples if one.single_operator == kind] for kind in (False, True))
    draws = []
    for seed in range(options.draws):
        draws.append(draw(whole, single, options.known, seed))
        print(seed, draws[-1], file=sys.stderr)
    found = summary(draws)
    goals: list[dict[str, Any]] = [
        {
            "what": f"mean coverage at alpha {alpha}",
            "goal": f">= {1 - float(alpha) - GOAL:g}",
            "value": one["mean_coverage"],
            "met": one["mean_coverage"] >= 1 - float(alpha) - GOAL,
        }
        for alpha, one in found.items()
    ]
    document = {
        "benchmark": "coverage",
        "device": info.to_json(),
        "nets": len(whole),
        "operators": len(single),
        "known": options.known,
        "figures": found,
        "draws": draws,
        "goals": goals,
    }
    write_result(options.output, document | provenance())


if __name__ == "__main__":
    main()
