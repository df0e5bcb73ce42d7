"""One run and what it works with: its space, its task, its devices, its budgets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from devices.device import Device
from devices.registry import get_target
from foundation.errors import UserError
from foundation.progress import OnProgress, ignore_progress
from latency.store import MeasurementStore
from search.constraints.budgets import Budgets, LatencyBound, LatencyBudget, ParameterBudget
from search.constraints.portability import Portability
from search.run_config import RunConfig
from search.run_folder import RunFolder
from search.spaces.registry import open_nets
from search.spaces.space import SearchSpace
from search.tasks.task import Task


@dataclass(frozen=True)
class RunContext:
    """A run while one of its commands works on it; whatever is expensive is made at first use and kept."""

    folder: RunFolder
    config: RunConfig
    space: SearchSpace
    devices: Mapping[str, Device]
    """By the name of the budget."""
    store: MeasurementStore
    on_progress: OnProgress

    @classmethod
    def open(
        cls, folder: Path, config: RunConfig, store: MeasurementStore, on_progress: OnProgress = ignore_progress
    ) -> RunContext:
        """Opens the run's devices and its space.

        Args:
            folder: of the run.
            config: of the run.
            store: of the measurements; stays the caller's to close.
            on_progress: called by everything that takes long.

        Raises:
            UserError: a device is not the one with which the run began, a plug-in of the run is missing, or the run's
                architectures were other networks than they are now.
            DeviceUnavailableError: a device cannot be used here.
        """
        devices = {target.device: target.open(config.run) for target in config.targets}
        space = open_nets(config.space, classes=len(config.classes), sizes=config.sizes)
        if config.space_version != space.version:
            raise UserError(
                f"run {config.run}",
                seen=f"architectures of version {config.space_version} of the space {space.name}",
                expected=f"version {space.version}, in which some of them are other networks",
                remedy="start a new search, or install the latseg that began this one; its bundles stay usable",
            )
        return cls(RunFolder(folder), config, space, devices, store, on_progress)

    @cached_property
    def task(self) -> Task:
        """What the run's architectures are for.

        Raises:
            UserError: the data cannot be opened.
        """
        return self.space.make_task(self.config.task_options(self.folder.path))

    @cached_property
    def portable(self) -> tuple[Portability, ...]:
        """The targets that must run the nets, as well as the devices.

        Raises:
            UserError: no such target.
        """
        fallback = self.config.allow_fallback
        return tuple(Portability(get_target(name), fallback) for name in self.config.portable)

    def budgets(self, predictor_of: Callable[[Device], LatencyBound]) -> Budgets:
        """The run's limits with the predictor of each device.

        Raises:
            UserError: as ``predictor_of``, where a device has no predictor.
        """
        latencies = (
            LatencyBudget(target.device, target.maximum_ms, predictor_of(self.devices[target.device]))
            for target in self.config.targets
        )
        return Budgets(ParameterBudget(self.config.max_parameters), tuple(latencies), self.portable)
