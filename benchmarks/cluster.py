"""A search on a Ray cluster of three machines, one of which is killed while candidates train.

The machines are processes of this one, with a core each, so nothing becomes faster here. The same search without a
cluster comes first. Writes ``benchmarks/results/cluster.json``, with the log of what the progress said.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import latseg
from foundation.progress import Progress
from provenance import RESULTS, provenance, write_result
from search.options import DataOptions, TrainingOptions

RESULT = RESULTS / "cluster.json"
MEMORY_BYTES = 80 * 2**20
KILLED_AFTER = 4
"""Trainings that have finished when the machine is killed."""
DEVICE = "simulated:noise=0.02"


class Log:
    """What the progress says, each line once, with its time."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.lines: list[str] = []

    def add(self, text: str) -> None:
        """Writes a line, unless it is the last one again."""
        if not self.lines or not self.lines[-1].endswith(text):
            self.lines.append(f"{time.monotonic() - self.started:6.1f} s  {text}")

    def __call__(self, moment: Progress) -> None:
        """A progress callback."""
        if "workers" in moment.note:
            self.add(f"{moment.stage} {moment.done:.0f}/{moment.total:.0f}: {moment.note}")


def search(workspace: Path, cluster: str | None, log: Log) -> list[tuple[str, float]]:
    """Ids and qualities of the trials, in their order."""
    run = latseg.Workspace(workspace, progress=log).search(
        budgets={DEVICE: "50ms"},
        data=DataOptions(source="synthetic:24", size=(64, 64)),
        sizes=["128x128"],
        strategy="random:generation_size=12",
        evaluator="training:epochs=1",
        trials=12,
        calibration_nets=0,
        training=TrainingOptions(threads=1, batch_size=4, evaluation_images=4),
        cluster=cluster,
    )
    return [(trial.id, trial.quality) for trial in run.trials]


def kill_a_machine(cluster: Any, machine: Any, workspace: Path, log: Log) -> None:
    while len(list(workspace.glob("runs/*/evaluations/*.json"))) < KILLED_AFTER:
        time.sleep(0.05)
    cluster.remove_node(machine, allow_graceful=False)
    log.add("one machine was killed (SIGKILL)")


def on_a_cluster(workspace: Path) -> tuple[list[tuple[str, float]], Log]:
    from ray.cluster_utils import Cluster

    machine = {"num_cpus": 1, "object_store_memory": MEMORY_BYTES}
    cluster = Cluster(initialize_head=True, head_node_args={**machine, "include_dashboard": False})
    try:
        _, doomed = (cluster.add_node(**machine) for _ in range(2))
        log = Log()
        killing = threading.Thread(target=kill_a_machine, args=(cluster, doomed, workspace, log), daemon=True)
        killing.start()
        return search(workspace, cluster.address, log), log
    finally:
        cluster.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    # No statistics are sent, and no messages of Ray are printed among the goals.
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": ".*"}
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        device = latseg.Workspace(workspace).device(DEVICE)
        device.profile(models=16, operators=0, sizes=["128x128"])
        device.fit()
        here = search(workspace, None, Log())
        found, log = on_a_cluster(workspace)
    killed = sum("killed" in line for line in log.lines)
    goals = [
        {"what": "machines killed while candidates trained", "goal": "1", "value": killed},
        {"what": "trials equal to those without a cluster", "goal": "12", "value": sum(map(here.__contains__, found))},
        {"what": "trials that are there twice", "goal": "0", "value": len(found) - len(dict(found))},
    ]
    for goal in goals:
        goal["met"] = goal["value"] == int(str(goal["goal"]))
    write_result(options.output, {"benchmark": "cluster", "log": log.lines, "goals": goals} | provenance())


if __name__ == "__main__":
    main()
