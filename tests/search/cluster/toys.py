"""Searches of tiny nets whose trainings can be watched, and workers that are no other processes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import torch
from typing_extensions import override

from devices.backends.simulated.device import SimulatedDevice
from devices.device import Candidate
from devices.measurement import FailedMeasurement, Measurement
from search.architecture import Architecture
from search.cluster.connect import give_away
from search.cluster.training_job import answered
from search.cluster.workers import Finished, Fleet, Workers
from search.constraints.budgets import Budgets, ParameterBudget
from search.evaluators.registry import make_evaluator
from search.evaluators.trainer import TrainsCandidates
from search.loop import SearchResult, run_search
from search.options import BudgetOptions, DataOptions, SearchOptions, TrainingOptions
from search.run_config import RunConfig
from search.run_context import RunContext
from search.run_folder import RunFolder
from search.settings import SearchSettings
from search.spaces.registry import open_nets
from search.strategies.registry import make_strategy
from search.tasks.task import Quality, Trained
from search.trials import TrialStore
from tests.search.vectors import VectorSpace, VectorTask

WATCHED = "LATSEG_TEST_TRAININGS"
"""Environment variable: a file to which every training appends a line when it begins and one when it ends, and every
measurement of the watched device; with the machine."""
SLOW_S = "LATSEG_TEST_TRAINING_S"
"""Environment variable: how long a training takes."""
SPACE = "watched-vectors"
TARGET = "tests.search.cluster.toys:WatchedSpace"
DEVICE = "watched"
DEVICE_TARGET = "tests.search.cluster.toys:WatchedDevice"
MEASUREMENT_S = 2.0
"""Of the watched device; long beside the time in which a process starts."""
BUDGETS = Budgets(ParameterBudget(2_000))


class WatchedSpace(VectorSpace):
    name = SPACE

    @override
    def make_task(self, options: Any) -> WatchedTask:
        return WatchedTask(self, options)


class WatchedTask(VectorTask):
    @override
    def train(self, architecture: Architecture, *, epochs: int | None = None, **_: Any) -> Trained:
        """Nothing is learned: the quality is a number that the net and the epochs decide."""
        _note(f"begins {architecture.id}")
        time.sleep(float(os.environ.get(SLOW_S, "0")))
        quality = Quality({"accuracy": Random(f"{architecture.id} {epochs}").random()}, "accuracy", 1)
        _note(f"ends {architecture.id}")
        return Trained(torch.nn.Identity(), quality, epochs or 0, 0.0)


class WatchedDevice(SimulatedDevice):
    """One measurement takes ``MEASUREMENT_S``."""

    @override
    def measure(self, candidates: Sequence[Candidate], **how: Any) -> Iterator[Measurement | FailedMeasurement]:
        label = candidates[0].label
        _note(f"begins {label}")
        time.sleep(MEASUREMENT_S)
        yield from super().measure(candidates, **how)
        _note(f"ends {label}")


def _note(line: str) -> None:
    if path := os.environ.get(WATCHED):
        with Path(path).open("a") as file:
            file.write(f"{line} {_machine()}\n")


def _machine() -> str:
    """Id of this machine in the cluster."""
    ray = sys.modules.get("ray")
    return str(ray.get_runtime_context().get_node_id()) if ray is not None and ray.is_initialized() else "here"


def noted(path: Path, what: str) -> list[str]:
    """Ids of the candidates whose trainings have begun (``begins``) or come to their end (``ends``)."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.split()[1] for line in lines if line.startswith(what)]


def toy_config(**search: Any) -> RunConfig:
    """A run on the simulated device; the registry must know ``SPACE``."""
    options = {"space": SPACE, "evaluator": "training:epochs=3", "strategy": "random:generation_size=6", "trials": 12}
    return RunConfig.create(
        BudgetOptions(latency_ms={"simulated": 1000.0}),
        DataOptions(source="vectors:64"),
        TrainingOptions(threads=1),
        SearchOptions(**{**options, **search}),
    )


def toy_search(folder: Path, config: RunConfig, workers: Workers | None, progress: Any = None) -> SearchResult:
    """A search in ``folder`` without measurements, its candidates trained by the workers, or here."""
    space = open_nets(config.space, classes=len(config.classes))
    nothing: Any = None
    context = RunContext(RunFolder(folder), config, space, {}, nothing, progress or (lambda _: None))
    folder.mkdir(exist_ok=True)
    evaluator = make_evaluator(config.evaluator, space, context.task, folder=folder, seed=config.seed)
    assert isinstance(evaluator, TrainsCandidates)
    on_progress = context.on_progress
    if workers is not None:
        on_progress = give_away(evaluator, workers, context, on_progress)
    strategy = make_strategy(config.strategy, space, BUDGETS, seed=config.seed)
    settings = SearchSettings(trials=config.trials, seed=config.seed, feasibility_samples=20)
    with TrialStore(context.folder.trials) as trials:
        return run_search(space, BUDGETS, evaluator, strategy, trials, settings, on_progress=on_progress)


def same_trials(one: SearchResult, other: SearchResult) -> bool:
    """Whether two searches evaluated the same candidates, in the same order, to the same qualities."""
    return [(trial.id, trial.generation, trial.quality) for trial in one.trials] == [
        (trial.id, trial.generation, trial.quality) for trial in other.trials
    ]


class InProcessWorkers(Workers):
    """Three workers that do a job when they are waited for, the last one first."""

    def __init__(self) -> None:
        self.waiting: dict[str, str] = {}
        self.submitted: list[str] = []
        self.finished = 0
        self.lose: list[str] = []
        """Keys of jobs whose next worker ends before they do."""

    @override
    def submit(self, key: str, job: str) -> None:
        assert key not in self.waiting
        self.waiting[key] = job
        self.submitted.append(key)

    @override
    def wait(self, seconds: float) -> list[Finished]:
        if not self.waiting:
            return []
        key, job = self.waiting.popitem()
        if key in self.lose:
            self.lose.remove(key)
            return [Finished(key, None, "its machine is gone")]
        try:
            answer = answered(job)
        except ValueError as error:
            return [Finished(key, None, error=error)]
        self.finished += 1
        return [Finished(key, answer)]

    @override
    def fleet(self) -> Fleet:
        return Fleet(3, min(3, len(self.waiting)), self.finished, 0)

    @override
    def close(self) -> None:
        self.waiting.clear()
