"""Is a predictor better for a search's candidates once it has learned from what was measured near the budget?

Reads a workspace in which ``guarantee.py`` has searched. The candidates that those searches measured are predicted

- ``searched with``: by the predictor of the searches, fitted on the campaign;
- ``random nets near the budgets``: by one fitted on the campaign and the random nets that searches measure first;
- ``candidates of other searches``: the same with the candidates of every other search, for those of the rest;
- ``relatives``: as ``searched with``, times the error that the candidates measured before in the same search suggest, a
  Gaussian process over the number of slots in which two networks differ (its four constants were chosen beforehand).

Writes ``benchmarks/results/refit_near_budget.json``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.registry import get_device
from latency.bounded import BoundedPredictor
from latency.fit import fit_device
from latency.operators.serialize import graph_digest
from latency.predictor import LatencyPredictor
from latseg.workspace_folder import WorkspaceFolder
from provenance import RESULTS, provenance, write_result
from search.run_config import read_config
from search.run_folder import RunFolder
from search.spaces.registry import open_nets
from search.trials import TrialStore

RESULT = RESULTS / "refit_near_budget.json"
SPREAD, SHARED, LENGTH, NOISE = 0.03, 0.3, 8.0, 0.01
"""Of the logarithm of measured / predicted: standard deviation, share that all networks have in common, slots after
which two networks have little in common, and standard deviation of a measurement."""
SPREAD_OF = "standard_deviation_percent"
"""What a bound that moves with the mean does not take away."""
Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Candidates:
    """What one search measured, in that order."""

    graphs: list[Any]
    choices: NDArray[np.int64]
    measured_ms: Vector


def candidates(folder: Path, device: str) -> Candidates | None:
    """None of a run that measured nothing on the device."""
    config = read_config(folder)
    if device not in {target.device for target in config.targets}:
        return None
    space = open_nets(config.space, classes=len(config.classes), sizes=config.sizes)
    with TrialStore(RunFolder(folder).trials, read_only=True) as store:
        trials = [trial for trial in store.measured_trials() if device in trial.measured_ms]
    if not trials:
        return None
    return Candidates(
        [space.lower(trial.architecture) for trial in trials],
        np.array([[choice for _, choice in trial.architecture.choices] for trial in trials]),
        np.array([trial.measured_ms[device] for trial in trials]),
    )


def kernel_of(choices: NDArray[np.int64]) -> Vector:
    """Covariance of the errors of networks, ``n x n``, from their choices, ``n x slots``."""
    distances = (choices[:, None] != choices[None]).sum(-1)
    return np.asarray(SPREAD**2 * (SHARED + (1 - SHARED) * np.exp(-distances / LENGTH)))


def by_relatives(errors: Vector, choices: NDArray[np.int64]) -> Vector:
    """The expected error of each candidate, from those before it."""
    kernel = kernel_of(choices)
    expected = np.zeros(len(errors))
    for place in range(1, len(errors)):
        known = kernel[:place, :place] + NOISE**2 * np.eye(place)
        expected[place] = kernel[place, :place] @ np.linalg.solve(known, errors[:place])
    return expected


def errors_of(predictor: LatencyPredictor, found: Candidates) -> tuple[Vector, Vector]:
    """Logarithms of measured / predicted and of measured / bound."""
    predictions = predictor.predict(found.graphs)
    predicted = np.array([each.latency_ms for each in predictions])
    upper = np.array([each.upper_ms for each in predictions])
    return np.log(found.measured_ms / predicted), np.log(found.measured_ms / upper)


def summary(errors: Vector, bounds: Vector) -> dict[str, float]:
    return {
        "median_error_percent": round(100 * float(np.median(np.abs(errors))), 2),
        "rms_error_percent": round(100 * float(np.sqrt(np.mean(errors**2))), 2),
        "mean_error_percent": round(100 * float(errors.mean()), 2),
        "standard_deviation_percent": round(100 * float(errors.std()), 2),
        "above_bound_percent": round(100 * float((bounds > 0).mean()), 2),
        "bound_over_measured": round(float(np.exp(-bounds).mean()), 4),
    }


def pooled(rows: Sequence[tuple[Vector, Vector]]) -> dict[str, float]:
    errors, bounds = (np.concatenate(each) for each in zip(*rows, strict=True))
    return summary(errors, bounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    folder, device = WorkspaceFolder(options.workspace), get_device(options.device)
    info, began = device.info(), time.monotonic()
    runs = sorted(path for path in folder.runs().iterdir() if (path / "run.json").is_file())
    searches = [each for path in runs if (each := candidates(path, options.device)) is not None]
    before = folder.predictor(device, print)
    with folder.store() as store:
        samples = store.samples(info.fingerprint)
    measured = [{graph_digest(graph) for graph in each.graphs} for each in searches]

    def fitted(left_out: set[str]) -> BoundedPredictor:
        kept = [each for each in samples if graph_digest(each.graph) not in left_out]
        return fit_device(kept, info).predictor

    rows = [errors_of(before, each) for each in searches]
    again = fitted(set.union(*measured))
    halves = [fitted(set.union(*measured[part::2])) for part in range(2)]
    relatives = []
    for (errors, bounds), each in zip(rows, searches, strict=True):
        expected = by_relatives(errors, each.choices)
        relatives.append((errors - expected, bounds - expected))
    found = {
        "searched with": pooled(rows),
        "random nets near the budgets": pooled([errors_of(again, each) for each in searches]),
        "candidates of other searches": pooled(
            [errors_of(halves[place % 2], each) for place, each in enumerate(searches)]
        ),
        "relatives": pooled(relatives),
    }
    document = {
        "benchmark": "refit_near_budget",
        "searches": len(searches),
        "candidates": sum(len(each.graphs) for each in searches),
        "samples": len(samples),
        "rows": found,
        "seconds": round(time.monotonic() - began, 1),
        "goals": [
            {
                "what": f"standard deviation of the error, {name}, in parts of that of the predictor searched with",
                "goal": "<= 0.8",
                "value": round(row[SPREAD_OF] / found["searched with"][SPREAD_OF], 3),
                "met": row[SPREAD_OF] <= 0.8 * found["searched with"][SPREAD_OF],
            }
            for name, row in found.items()
            if name != "searched with"
        ],
    }
    write_result(options.output, document | provenance())


if __name__ == "__main__":
    main()
