"""How far one driver reaches: 1,000 workers that train and 50 devices that measure, simulated around measured costs.

Measured here, with the code that a search runs: what the driver does for a candidate (``run_search`` with workers that
answer at once: proposing, checking budgets by a predictor that was fitted on the simulated device, keeping results,
committing trials), and what its parts take alone. Simulated, as discrete events: workers and devices, whose times are
drawn from a log-normal distribution; results wait until the driver has dealt with those before them. No cluster is
started. Writes ``benchmarks/results/cluster_scale.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))  # its rows are made as in tests/

from simulated_fleet import busy_share
from typing_extensions import override

import latseg
from latency.store import MeasurementStore
from provenance import RESULTS, provenance, write_result
from search.cluster.finished_trainings import write_reached
from search.cluster.fleet_progress import FleetProgress
from search.cluster.trainer import ClusterTrainer
from search.cluster.workers import Finished, Fleet, Workers
from search.constraints.budgets import Budgets, LatencyBudget, ParameterBudget
from search.evaluators.training import TrainingEvaluator
from search.loop import run_search
from search.settings import SearchSettings
from search.spaces.portrait.space import PortraitSpace
from search.strategies.registry import make_strategy
from search.trials import TrialStore
from tests.latency.graphs import small_net
from tests.latency.measurements import measurement
from tests.search.test_trials import make_trials

RESULT = RESULTS / "cluster_scale.json"
SPACE = PortraitSpace()
WORKERS, DEVICES = 1000, 50
GROUP = 8
"""Nets that one device measures in turns."""


class InstantWorkers(Workers):
    """Answer at once; note when a generation was given away and when its last result was taken."""

    def __init__(self) -> None:
        self.waiting: list[str] = []
        self.given: list[float] = []
        self.ended: list[float] = []

    @override
    def submit(self, key: str, job: str) -> None:
        if not self.waiting:
            self.given.append(time.process_time())
        self.waiting.append(key)

    @override
    def wait(self, seconds: float) -> list[Finished]:
        key = self.waiting.pop(0)
        if not self.waiting:
            self.ended.append(time.process_time())
        return [Finished(key, json.dumps({"quality": Random(key).random()}))]

    @override
    def fleet(self) -> Fleet:
        return Fleet(WORKERS, len(self.waiting), 0, 0)

    @override
    def close(self) -> None:
        self.waiting.clear()


def per_second(action: Callable[[int], object], count: int) -> float:
    started = time.perf_counter()
    for number in range(count):
        action(number)
    return round(count / (time.perf_counter() - started), 1)


def fitted_budgets(folder: Path) -> Budgets:
    """Budgets that leave about half of the nets of the space with few parameters."""
    workspace = latseg.Workspace(folder)
    device = workspace.device("simulated")
    device.profile(models=80, operators=0, passes=1)
    device.fit()
    predictor = workspace.folder.predictor(device.device, print)
    sample = [SPACE.lower(net) for net in SPACE.sample(200, Random(0))]
    middle = median(one.upper_ms for one in predictor.predict(sample))
    return Budgets(ParameterBudget(400_000), (LatencyBudget("simulated", middle, predictor),))


def driver(folder: Path, budgets: Budgets, generation: int, generations: int) -> dict[str, float]:
    """Processor milliseconds for a candidate: before a generation is given away, and for each result of it."""
    folder.mkdir()
    workers, nothing = InstantWorkers(), lambda _: None
    evaluator = TrainingEvaluator(SPACE, None, folder=folder)  # type: ignore[arg-type]
    progress = FleetProgress(nothing)
    evaluator.trainer = ClusterTrainer(workers, lambda one, _: one.to_json(), folder, progress.tell)
    strategy = make_strategy(f"evolution:population={generation}", SPACE, budgets, seed=0)
    settings = SearchSettings(trials=generation * generations, feasibility_samples=100)
    with TrialStore(folder / "trials.sqlite") as trials:
        run_search(SPACE, budgets, evaluator, strategy, trials, settings, on_progress=progress)
    proposing = [given - ended for given, ended in zip(workers.given[1:], workers.ended, strict=False)]
    keeping = [ended - given for given, ended in zip(workers.given, workers.ended, strict=True)]
    return {
        "generation": generation,
        "trials": generation * generations,
        "propose_ms": round(1e3 * max(proposing) / generation, 3),
        "result_ms_in_the_first_generation": round(1e3 * keeping[0] / generation, 3),
        "result_ms_in_the_last_generation": round(1e3 * keeping[-1] / generation, 3),
    }


def parts(folder: Path, budgets: Budgets, count: int) -> dict[str, float]:
    """How many of each the driver does in a second, alone."""
    nets = SPACE.sample(count, Random(1))
    trials, graph = make_trials(count), small_net()
    with TrialStore(folder / "parts.sqlite") as store, MeasurementStore(folder / "measured.sqlite") as measured:
        found = {
            "TrialStore.add, commits": per_second(lambda place: store.add(trials[place]), len(trials)),
            "MeasurementStore.add_measurement, commits": per_second(
                lambda place: measured.add_measurement(measurement(f"net{place}"), graph, source="campaign"), count
            ),
        }
    kept = per_second(lambda place: write_reached(folder, nets[place], 0.5, 1), count)
    started = time.perf_counter()
    budgets.check_many(SPACE, nets)
    checks = round(count / (time.perf_counter() - started), 1)
    return {**found, "write_reached, files": kept, "Budgets.check_many, candidates": checks}


def training_rows(cost: dict[str, float], alone: dict[str, float]) -> Iterator[dict[str, Any]]:
    """A result waits for the disk twice, a generation for its proposals."""
    disk_s = 1 / alone["write_reached, files"] + 1 / alone["TrialStore.add, commits"]
    each_s, propose_s = cost["result_ms_in_the_last_generation"] / 1e3 + disk_s, cost["propose_ms"] / 1e3
    for batch in (WORKERS, 4 * WORKERS):
        for job_s in (2.0, 10.0, 60.0, 600.0):
            share = busy_share(WORKERS, batch, job_s, each_s, batch * propose_s)
            row = {"workers": WORKERS, "generation": batch, "training_s": job_s, "busy": round(share, 3)}
            yield row | {"as_many_workers_as": round(WORKERS * share)}


def device_rows(commits: float) -> Iterator[dict[str, Any]]:
    """A campaign: each device measures a group of nets in turns; the next groups begin when all are stored."""
    for net_s in (0.5, 2.0):
        job_s = GROUP * net_s
        share = busy_share(DEVICES, DEVICES, job_s, GROUP / commits, 0.0)
        yield {
            "devices": DEVICES,
            "net_s": net_s,
            "busy": round(share, 3),
            "as_many_devices_as": round(DEVICES * share),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="of each part that is timed alone")
    parser.add_argument("--generation", type=int, default=250, help="of the search that is timed; it has two")
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        budgets = fitted_budgets(folder / "workspace")
        alone = parts(folder, budgets, options.count)
        cost = driver(folder / "run", budgets, options.generation, 2)
    trained = list(training_rows(cost, alone))
    measured = list(device_rows(alone["MeasurementStore.add_measurement, commits"]))
    of_ten_minutes = max(row["busy"] for row in trained if row["training_s"] == 600.0)
    goals = [
        {"what": "1,000 workers busy, trainings of ten minutes", "goal": ">= 0.8", "value": of_ten_minutes},
        {"what": "50 devices busy, nets of 2 s", "goal": ">= 0.6", "value": measured[-1]["busy"]},
    ]
    for goal in goals:
        goal["met"] = goal["value"] >= float(str(goal["goal"]).removeprefix(">= "))
    document = {"benchmark": "cluster_scale", "per_second": alone, "driver": cost, "training": trained}
    write_result(options.output, document | {"devices": measured, "goals": goals} | provenance())


if __name__ == "__main__":
    main()
