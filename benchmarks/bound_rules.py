"""Which bound near a budget holds for the nets that searches prefer, and how far above their latency does it lie?

Reads the searches of workspaces, as ``guarantee.py`` leaves them: the random nets that were measured near each budget,
and the candidates that were measured. For each rule it computes the bound that a search would have begun with, and
compares it with the candidates' latencies:

- ``fit``: the quantile of the nets held out by ``fit``, without nets near the budget;
- ``moved``: that of ``latency.calibration`` before a candidate is measured, with the nets near the budget;
- ``near alone``: the quantile of the nets near the budget in place of those held out;
- ``candidates``: that of ``latency.calibration`` with the candidates measured before the one that is judged;
- ``relatives``: the same, but each prediction is first corrected by the errors of the candidates measured before, as
  fitting again within the search would do (the Gaussian process of ``refit_near_budget.py``). The quantile is that of
  their errors, each predicted from the others.

Judged are the candidates that were measured after the ninth, chosen under the rule of the program that searched.
Writes ``benchmarks/results/bound_rules.json``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from refit_near_budget import NOISE, kernel_of

from devices.registry import get_device
from latency.calibration import Calibration
from latency.conformal import ConformalQuantile
from latseg.workspace_folder import WorkspaceFolder
from provenance import RESULTS, provenance, write_result
from search.run_folder import RunFolder
from search.trials import TrialStore

NINE = 9
Ratios = NDArray[np.float64]
"""Measured / predicted as the predictor was fitted."""


@dataclass(frozen=True, slots=True)
class Search:
    """What was measured near one budget."""

    near: list[float]
    """Ratios of random nets."""
    candidates: Ratios
    """In the order of their measurement."""
    choices: NDArray[np.int64]
    """``candidates x slots``."""


def factors(calibration: Calibration, search: Search) -> dict[str, Ratios]:
    """By rule: upper bound / prediction of each candidate after the ninth."""
    near, candidates = search.near, search.candidates
    moved, judged = calibration.with_near_budget(near), range(NINE, len(candidates))
    alone = ConformalQuantile(near, calibration.alpha).value
    return {
        "fit": np.array([calibration.factor for _ in judged]),
        "moved": np.array([moved.factor for _ in judged]),
        "near alone": np.array([alone for _ in judged]),
        "candidates": np.array([moved.recalibrated(candidates[:before].tolist()).factor for before in judged]),
        "relatives": np.array([by_relatives(search, before, calibration.alpha) for before in judged]),
    }


def by_relatives(search: Search, before: int, alpha: float) -> float:
    """The bound of one candidate, from those measured before it."""
    errors, kernel = np.log(search.candidates[:before]), kernel_of(search.choices[: before + 1])
    inverse = np.linalg.inv(kernel[:before, :before] + NOISE**2 * np.eye(before))
    expected = float(kernel[before, :before] @ inverse @ errors)
    left_out = inverse @ errors / inverse.diagonal()  # Rasmussen and Williams 2006, equation 5.12
    return float(np.exp(expected)) * ConformalQuantile(np.exp(left_out).tolist(), alpha).value


def searches(folder: WorkspaceFolder, device: str) -> list[Search]:
    """Those that measured enough."""
    return [
        found
        for run in sorted(folder.runs().iterdir())
        if RunFolder(run).near_budget.exists()
        and (found := search_of(RunFolder(run), device)).near
        and found.candidates.size > NINE
    ]


def search_of(run: RunFolder, device: str) -> Search:
    """Empty where nothing was measured."""
    (record,) = json.loads(run.near_budget.read_text())
    with TrialStore(run.trials, read_only=True) as store:
        measured = [trial for trial in store.measured_trials() if device in trial.measured_ms]
    # Programs from 446519e to 11324c7 stored predictions that they had multiplied by this.
    correction = record.get("correction", 1.0)
    found = [correction * trial.measured_ms[device] / trial.predicted_ms[device] for trial in measured]
    choices = [[choice for _, choice in trial.architecture.choices] for trial in measured]
    return Search(record["ratios"], np.array(found), np.array(choices))


def compared(calibration: Calibration, found: Sequence[Search]) -> dict[str, Any]:
    """By rule: share of the candidates above their bound, and bound over latency, mean over the searches."""
    bounds: list[Mapping[str, Ratios]] = [factors(calibration, each) for each in found]
    judged = [each.candidates[NINE:] for each in found]
    rules = {}
    for rule in bounds[0]:
        above = np.concatenate([ratios > bound[rule] for bound, ratios in zip(bounds, judged, strict=True)])
        over = [np.mean(bound[rule] / ratios) for bound, ratios in zip(bounds, judged, strict=True)]
        rules[rule] = {
            "above_bound_percent": round(100 * float(above.mean()), 2),
            "bound_over_measured": round(float(np.mean(over)), 4),
        }
    return {"searches": len(found), "candidates": sum(map(len, judged)), "rules": rules}


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--on", nargs=2, action="append", metavar=("DEVICE", "WORKSPACE"), required=True)
    parser.add_argument("--output", type=Path, default=RESULTS / "bound_rules.json")
    options = parser.parse_args()
    found = {}
    for device, workspace in options.on:
        folder = WorkspaceFolder(Path(workspace))
        calibration = folder.predictor(get_device(device), print).calibration
        found[device] = compared(calibration, searches(folder, device))
    goals = [
        {"what": f"{device}, {rule}: candidates above their bound, %", "goal": "<= 10",
         "value": each["above_bound_percent"], "met": each["above_bound_percent"] <= 10}
        for device, one in found.items()
        for rule, each in one["rules"].items()
    ]  # fmt: skip
    write_result(options.output, {"benchmark": "bound_rules", "devices": found, "goals": goals} | provenance())


if __name__ == "__main__":
    main()
