"""A workspace of the simulated device with many measurements and one run with many trials.

Commands make a small one: a profile, a predictor, a search. Then rows are added through the store classes, as the
commands would write them, but without waiting for the disk. The qualities of the added trials are random numbers below
that of the winner; their predictions are those of the predictor.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from random import Random

import onnx

from devices.device_info import DeviceInfo
from devices.measurement import OperatorTime
from devices.registry import get_device
from foundation.database import Database
from latency.fit import fit_device
from latency.operators.operator import OperatorGraph
from latency.operators.synthesize import to_model, with_tensor_names
from latency.store import MeasurementStore
from latseg.workspace_folder import STORE, WorkspaceFolder
from search.constraints.budgets import Budgets, ConstraintCheck
from search.constraints.near_budget import calibrate_near_budget
from search.run_config import RunConfig, read_config, write_config
from search.run_context import RunContext
from search.run_folder import RunFolder
from search.spaces.portrait.space import PortraitSpace
from search.trial import Trial
from search.trials import TrialStore
from search.winners.selection import won
from tests.latency.measurements import measurement

DEVICE = "simulated:noise=0.02"
SPACE = PortraitSpace(sizes=((128, 128),))
PROFILE = ("profile", "--device", DEVICE, "--size", "128x128", "--models", "20", "--operators", "4")
FIT = ("fit", "--device", DEVICE)
SEARCH = (
    *("search", "--device", DEVICE, "--max-latency", "2ms", "--size", "128x128", "--winner-epochs", "1"),
    *("--data", "synthetic:24", "--data-size", "64x64", "--evaluation-images", "2"),
    *("--batch-size", "4", "--scene-steps", "0", "--evaluator", "supernet"),
    *("--trials", "12", "--teacher-epochs", "0", "--supernet-steps", "10", "--calibration-nets", "4"),
    *("--training-threads", "1"),
)
GENERATION = 24
BLOCKS = 15
AT_ONCE = 1000


@dataclass(frozen=True)
class LargeWorkspace:
    """The folder ``root`` and what lies in it."""

    root: Path

    def command(self, *words: str) -> list[str]:
        """A command of latseg on this workspace."""
        return [sys.executable, "-m", "latseg", "--workspace", str(self.root), *words]

    @cached_property
    def info(self) -> DeviceInfo:
        """The simulated device."""
        return get_device(DEVICE).info()

    @property
    def store(self) -> Path:
        """The file of the measurements."""
        return self.root / STORE

    @cached_property
    def run(self) -> RunFolder:
        """The run."""
        folder = WorkspaceFolder(self.root)
        return RunFolder(folder.run(folder.run_ids()[0]))

    @property
    def model(self) -> Path:
        """A model that was measured."""
        return self.root / "net.onnx"

    def begin(self) -> None:
        """Profiles, fits and searches a little."""
        for words in (PROFILE, FIT, SEARCH):
            done = subprocess.run(self.command("--quiet", *words), capture_output=True, text=True, check=False)
            assert done.returncode in {0, 4}, done.stderr

    def fill_measurements(self, count: int, nets: int) -> None:
        """Up to ``count`` measurements in all; those added are of ``nets`` nets."""
        graphs = [with_tensor_names(SPACE.lower(one)) for one in SPACE.sample(nets, Random(0))]
        onnx.save(to_model(graphs[0]), self.model)
        with MeasurementStore(self.store) as store:
            _without_waiting(store)
            for number in range(_rows(store, "measurements"), count):
                place = number % len(graphs)
                latency_ms = 1.0 + place / nets + 0.01 * (number // nets)
                rows = operator_rows(graphs[place], latency_ms)
                one = measurement(f"net-{place}", latency_ms, device=self.info, operators=rows, blocks=BLOCKS)
                store.add_measurement(one, graphs[place], source="campaign")

    def fill_trials(self, count: int) -> None:
        """Up to ``count`` trials in all, with two rejections for each that is added."""
        rng = Random(1)
        with TrialStore(self.run.trials) as store:
            _without_waiting(store)
            trials = store.trials()
            below = won(trials)[0].quality
            known = {trial.architecture for trial in trials}
            for number, check in zip(range(len(trials), count), self._feasible(known), strict=False):
                trial = Trial(
                    architecture=check.architecture,
                    generation=number // GENERATION,
                    parameters=check.parameters,
                    flops=check.flops or 0,
                    predicted_ms=check.predicted_ms,
                    upper_ms=check.upper_ms,
                    quality=below * rng.random(),
                    seconds=1.0,
                    created="2026-01-01T00:00:00.000+00:00",
                    predictions=check.predictions,
                )
                store.add(trial)
                small = replace(check, architecture=replace(check.architecture, space=f"rejected {number}"))
                rejected = [replace(small, violated=(name,)) for name in ("parameters", f"latency:{DEVICE}")]
                store.add_rejections(trial.generation, rejected, [True, False])
        self.set_trials(count)

    def set_trials(self, count: int) -> None:
        """How many trials the run is to have."""
        write_config(self.run.path, self.config.model_copy(update={"trials": count}))

    @property
    def config(self) -> RunConfig:
        """The run's options."""
        return read_config(self.run.path)

    def fit_again(self) -> None:
        """Another predictor, fitted on the first measurements with another seed."""
        with MeasurementStore(self.store) as store:
            samples = store.samples(self.info.fingerprint)[:20]
        found = fit_device(samples, self.info, seed=1).predictor
        found.save(WorkspaceFolder(self.root).predictor_folder(get_device(DEVICE)))

    def _feasible(self, known: set[object]) -> Iterator[ConstraintCheck]:
        """Random nets that keep the budgets, each once."""
        budgets, rng = self._budgets(), Random(2)
        while True:
            fresh = [one for one in dict.fromkeys(SPACE.sample(AT_ONCE, rng)) if one not in known]
            known.update(fresh)
            yield from (check for check in budgets.check_many(SPACE, fresh) if check.feasible)

    def _budgets(self) -> Budgets:
        """Those of the search, calibrated as it calibrated them."""
        folder, config = WorkspaceFolder(self.root), self.config
        with folder.store() as store:
            context = RunContext.open(self.run.path, config, store)
            found = context.budgets(lambda device: folder.predictor(device, print))
            nets, seed = config.calibration_nets, config.seed
            return calibrate_near_budget(SPACE, found, context.devices, store, count=nets, seed=seed)[0]


def operator_rows(graph: OperatorGraph, latency_ms: float) -> tuple[OperatorTime, ...]:
    """Invented ones, as many as a real measurement has."""
    share = latency_ms / len(graph.operators)
    return tuple(
        OperatorTime(operator.kind, operator.tensors, (), share, operator.output_shapes[0], own_ms=share)
        for operator in graph.operators
    )


def _rows(store: Database, table: str) -> int:
    return int(store._connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])  # noqa: S608


def _without_waiting(store: Database) -> None:
    store._connection.execute("PRAGMA synchronous = OFF")
