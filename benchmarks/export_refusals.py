"""How often is the export of a certified candidate refused, and what do further rounds of measurements change?

Reads the searches of a workspace, as ``guarantee.py`` leaves them, and takes of each the ``--nets`` candidates closest
to their budget of those that the search certified. Each is exported ``--passes`` times by the rule of
``certify_file``, but for one more round: measured once, and while the certificate's rule refuses it, in rounds of three
that follow after the pauses ``PAUSES_S``. Writes
``benchmarks/results/export_refusals.json``: how many exports are refused after each round.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devices.device import Candidate, Device
from devices.registry import get_device
from export.bundle.certificate import Certificate, certify
from latency.measuring import Measured, measure_one
from latency.store import MeasurementStore
from latseg.workspace_folder import WorkspaceFolder
from provenance import RESULTS, provenance, write_result
from search.run_config import read_config
from search.run_folder import RunFolder
from search.trial import CERTIFIED
from search.trials import TrialStore

PAUSES_S = (0.0, 5.0, 20.0)


@dataclass(frozen=True, slots=True)
class Certified:
    """A candidate that its search certified."""

    label: str
    path: Path
    budget_ms: float
    searched_ms: float


def closest(run: RunFolder, device: str) -> list[Certified]:
    """The certified candidates of a search, closest to the budget first."""
    (target,) = read_config(run.path).targets
    with TrialStore(run.trials, read_only=True) as store:
        trials = [trial for trial in store.measured_trials() if trial.status == CERTIFIED]
    nets = [
        Certified(trial.id, run.candidate(trial.id), target.maximum_ms, trial.measured_ms[device]) for trial in trials
    ]
    return sorted(nets, key=lambda net: -net.searched_ms)


def export(device: Device, net: Certified, store: MeasurementStore) -> dict[str, Any]:
    """Latencies of one export, round by round, until one is certified."""

    def measured(size: int) -> Measured:
        candidate = Candidate(net.label, net.path)
        found = [measure_one(device, candidate, store, seed=seed) for seed in range(size)]
        rounds.append([round(one.measurement.latency_ms, 4) for one in found])
        return sorted(found, key=lambda one: one.measurement.latency_ms)[size // 2]

    rounds: list[list[float]] = []
    certified = holds(measured(1), net.budget_ms)
    for pause_s in PAUSES_S:
        if certified:
            break
        time.sleep(pause_s)
        certified = holds(measured(3), net.budget_ms)
    return {"net": net.label, "budget_ms": net.budget_ms, "searched_ms": net.searched_ms, "certified": certified,
            "rounds": rounds}  # fmt: skip


def holds(found: Measured, budget_ms: float) -> bool:
    """The certificate's rule."""
    floor = found.noise_floor.normalised_percent
    return isinstance(certify(found.measurement, budget_ms=budget_ms, noise_floor_percent=floor), Certificate)


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Exports that are refused after the first measurement and after each round."""
    last = 1 + len(PAUSES_S)
    refused = [sum(len(row["rounds"]) > done or not row["certified"] for row in rows) for done in range(1, last + 1)]
    goal = {"what": "exports refused after all rounds", "goal": "0", "value": refused[-1], "met": refused[-1] == 0}
    return {"benchmark": "export_refusals", "exports": len(rows), "pauses_s": PAUSES_S,
            "refused_after_each": refused, "rows": list(rows), "goals": [goal]}  # fmt: skip


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--searches", type=int, default=10, help="the latest ones")
    parser.add_argument("--nets", type=int, default=4, help="of each search")
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--output", type=Path, default=RESULTS / "export_refusals.json")
    options = parser.parse_args()
    device, folder = get_device(options.device), WorkspaceFolder(options.workspace)
    runs = sorted(folder.runs().iterdir())[-options.searches :]
    nets = [net for run in runs for net in closest(RunFolder(run), device.name)[: options.nets]]
    with folder.store() as store:
        rows = [export(device, net, store) for _ in range(options.passes) for net in nets]
    write_result(options.output, summary(rows) | provenance())


if __name__ == "__main__":
    main()
