"""Which bound near a budget holds for the nets that searches prefer, and how far above their latency does it lie?

Reads the searches of workspaces, as ``guarantee.py`` leaves them: the random nets that were measured near each budget,
and the candidates that were measured. For each rule it computes the bound that a search would have begun with, and
compares it with the candidates' latencies:

- ``fit``: the quantile of the nets held out by ``fit``, without nets near the budget;
- ``moved``: that of ``latency.calibration`` before a candidate is measured, with the nets near the budget;
- ``near alone``: the quantile of the nets near the budget in place of those held out;
- ``candidates``: that of ``latency.calibration`` with the candidates measured before the one that is judged.

Judged are the candidates that were measured after the ninth, chosen under the rule of the program that searched.
Writes ``benchmarks/results/bound_rules.json``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


def factors(calibration: Calibration, near: Sequence[float], candidates: Ratios) -> dict[str, Ratios]:
    """By rule: upper bound / prediction of each candidate after the ninth."""
    moved, judged = calibration.with_near_budget(near), range(NINE, len(candidates))
    alone = ConformalQuantile(near, calibration.alpha).value
    return {
        "fit": np.array([calibration.factor for _ in judged]),
        "moved": np.array([moved.factor for _ in judged]),
        "near alone": np.array([alone for _ in judged]),
        "candidates": np.array([moved.recalibrated(candidates[:before].tolist()).factor for before in judged]),
    }


def searches(folder: WorkspaceFolder, device: str) -> list[tuple[list[float], Ratios]]:
    """Of each search: ratios of the nets near its budget, and of its candidates in the order of their measurement."""
    return [
        pair
        for run in sorted(folder.runs().iterdir())
        if RunFolder(run).near_budget.exists()
        and (pair := ratios_of(RunFolder(run), device))[0]
        and pair[1].size > NINE
    ]


def ratios_of(run: RunFolder, device: str) -> tuple[list[float], Ratios]:
    """Empty where nothing was measured."""
    (record,) = json.loads(run.near_budget.read_text())
    with TrialStore(run.trials, read_only=True) as store:
        measured = [trial for trial in store.measured_trials() if device in trial.measured_ms]
    # Programs from 446519e to 11324c7 stored predictions that they had multiplied by this.
    correction = record.get("correction", 1.0)
    found = [correction * trial.measured_ms[device] / trial.predicted_ms[device] for trial in measured]
    return record["ratios"], np.array(found)


def compared(calibration: Calibration, pairs: Sequence[tuple[list[float], Ratios]]) -> dict[str, Any]:
    """By rule: share of the candidates above their bound, and bound over latency, mean over the searches."""
    bounds: list[Mapping[str, Ratios]] = [factors(calibration, near, ratios) for near, ratios in pairs]
    judged = [ratios[NINE:] for _, ratios in pairs]
    rules = {}
    for rule in bounds[0]:
        above = np.concatenate([ratios > bound[rule] for bound, ratios in zip(bounds, judged, strict=True)])
        over = [np.mean(bound[rule] / ratios) for bound, ratios in zip(bounds, judged, strict=True)]
        rules[rule] = {
            "above_bound_percent": round(100 * float(above.mean()), 2),
            "bound_over_measured": round(float(np.mean(over)), 4),
        }
    return {"searches": len(pairs), "candidates": sum(map(len, judged)), "rules": rules}


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
