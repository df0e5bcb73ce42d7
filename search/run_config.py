"""The resolved configuration of a run: ``run.json``."""

from __future__ import annotations

import json
import platform
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from devices.device import Device
from devices.registry import get_device, get_target
from foundation.atomic_file import write_file
from foundation.checked_document import CHECKSUM, read_checked_json, with_checksum
from foundation.errors import UserError
from search.evaluators.registry import EVALUATORS, PRETRAINED, default_evaluator
from search.options import (
    BudgetOptions,
    Count,
    DataOptions,
    Milliseconds,
    SearchOptions,
    Size,
    TrainingOptions,
)
from search.spaces.plan_space import PlanSpace
from search.spaces.registry import is_network, open_nets
from search.spaces.space import SearchSpace
from search.strategies.registry import STRATEGIES
from search.tasks.task import Task, TaskOptions
from search.teachers.resolve import resolved

if TYPE_CHECKING:
    from segmentation.pretrained.weights import Name

SCHEMA_VERSION = 1
FILE_NAME = "run.json"
SHIPPED_TEACHER = "shipped teacher"
"""Key in ``versions`` of the weights with which the teacher begins: their SHA-256."""
SHIPPED_SUPERNET = "shipped supernet"
"""Key in ``versions`` of the weights with which supernets and short trainings begin: their SHA-256."""
SHIPPED_ENCODER = "shipped encoder"
"""The same of the weights with which the nets' encoder begins."""
_SHIPPED: Mapping[Name, str] = {"portrait-supernet": SHIPPED_SUPERNET, "small-encoder": SHIPPED_ENCODER}
DATA = "data"
"""Key in ``versions`` of the data's fingerprint, in runs whose evaluator learns from them before the search."""
TRAINED_NETS = "trained nets"
"""Key in ``versions`` of the nets by which the evaluator ``pretrained`` compares others: their SHA-256."""
_PACKAGES = ("latseg", "torch", "onnx", "onnxruntime", "numpy")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class TargetDevice(_Record):
    """A device with its latency budget."""

    device: str
    threads: Count
    maximum_ms: Milliseconds
    fingerprint: str
    hardware: str
    runtime: str
    runtime_version: str
    simulated: bool

    @staticmethod
    def of(name: str, maximum_ms: float, device: Device) -> TargetDevice:
        """The device as it is now.

        Raises:
            DeviceUnavailableError: it cannot be used here.
        """
        info = device.info()
        return TargetDevice(
            device=name,
            threads=info.threads,
            maximum_ms=maximum_ms,
            fingerprint=info.fingerprint,
            hardware=info.hardware,
            runtime=info.runtime,
            runtime_version=info.runtime_version,
            simulated=info.simulated,
        )

    @staticmethod
    def of_each(latency_ms: Mapping[str, float], threads: int | None) -> tuple[TargetDevice, ...]:
        """The devices of these budgets, each with ``threads`` where its name does not say how many.

        Raises:
            DeviceUnavailableError: one cannot be used here.
        """
        devices = {name: get_device(name, threads=threads) for name in latency_ms}
        return tuple(
            TargetDevice.of(device.full_name(name), latency_ms[name], device) for name, device in devices.items()
        )

    def open(self, run: str) -> Device:
        """The device, which must still be the one with which the run began.

        Raises:
            UserError: it has another fingerprint now.
            DeviceUnavailableError: it cannot be used here.
        """
        device = get_device(self.device, threads=self.threads)
        info = device.info()
        if info.fingerprint != self.fingerprint:
            raise UserError(
                f"device {self.device} of run {run}",
                seen=f"{info.hardware}, {info.runtime} {info.runtime_version}, protocol {info.protocol_version}",
                expected=f"{self.hardware}, {self.runtime} {self.runtime_version}, measured as when the run began",
                remedy="continue where the run began, or start a new run here",
            )
        return device


class CurvePoint(_Record):
    """One budget of a search for several, and its run."""

    run: str
    maximum_ms: Milliseconds


class RunConfig(_Record):
    """A run, resolved: nothing in it depends on defaults of a later version."""

    schema_version: Literal[1] = 1
    run: str
    created: str
    command: str
    space: str
    space_version: Annotated[int, Field(ge=1)] = 1
    """``SearchSpace.version``."""
    sizes: tuple[Size, ...] | None
    data: str
    data_size: Size
    data_count: Count | None
    resize_masks: bool
    data_notes: tuple[str, ...] = ()
    """How the data were read when the run began, and what of them was left out."""
    data_test: bool = False
    """Whether a test split may be taken from the examples; runs from before there was one open without."""
    classes: Annotated[tuple[str, ...], Field(min_length=1)]
    targets: tuple[TargetDevice, ...]
    """Devices with their budgets; those of a known network may be named later, when it is exported."""
    curve: tuple[CurvePoint, ...] = ()
    """All runs of a search for several budgets, the largest first; empty where there is one budget a device."""
    max_parameters: Count
    """Of a known network its own number."""
    portable: tuple[str, ...] = ()
    """Targets that must run every operator of a net."""
    allow_fallback: bool = False
    """Whether an operator may run there on another compute unit than the one that the target is meant for."""
    trials: Count
    winners: Count
    strategy: str
    evaluator: str | None = None
    """None in runs of versions that did not write it down, and for a known network."""
    supernet: str | None = None
    """Earlier run from which the prepared evaluator was copied; ``versions`` has the SHA-256 of each file."""
    calibration_nets: Annotated[int, Field(ge=0, validation_alias="near_budget", serialization_alias="near_budget")] = 0
    """Random nets measured near each latency budget before the search; runs that do not name it have none."""
    seed: int
    training: TrainingOptions = Field(validation_alias="effort", serialization_alias="effort")
    versions: dict[str, str]

    @model_validator(mode="after")
    def _searched_with_a_budget(self) -> Self:
        if not self.targets and not is_network(self.space):
            raise ValueError("a search without a device and its budget")
        return self

    @field_validator("training", mode="before")
    @classmethod
    def _from_scratch_before_there_were_weights(cls, values: object) -> object:
        """Runs that do not say how they begin began with random weights, and winners without scenes."""
        return {"pretrained": False, "scene_steps": 0, **values} if isinstance(values, dict) else values

    @classmethod
    def create(
        cls,
        budgets: BudgetOptions | None,
        data: DataOptions,
        training: TrainingOptions | None = None,
        search: SearchOptions | None = None,
        *,
        command: str = "",
    ) -> RunConfig:
        """A new run: everything is looked up and checked, nothing is written.

        Without budgets it is that of a known network.

        Raises:
            UserError: no such space, strategy or evaluator, or the data cannot be opened.
            DeviceUnavailableError: a device cannot be used here.
        """
        training, search = resolved(training or TrainingOptions()), search or SearchOptions()
        STRATEGIES.parse(search.strategy)
        if search.evaluator is not None:
            EVALUATORS.parse(search.evaluator)
        space = open_nets(search.space, sizes=search.sizes)
        task = space.make_task(TaskOptions(data, training, search.seed))
        evaluator = None if budgets is None else search.evaluator or default_evaluator(space)
        trials = search.trials or EVALUATORS.parse(evaluator or default_evaluator(space))[0].usual_trials
        return cls(
            run=f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            command=command,
            space_version=space.version,
            data=task.data,
            data_size=data.size,
            data_count=data.count,
            resize_masks=data.resize_masks,
            data_notes=task.data_notes,
            data_test=data.hold_out_test,
            classes=task.classes,
            targets=() if budgets is None else TargetDevice.of_each(budgets.latency_ms, budgets.threads),
            max_parameters=_parameters(search, task) if budgets is None else budgets.parameters,
            portable=() if budgets is None else _available(budgets.portable),
            allow_fallback=budgets is not None and budgets.allow_fallback,
            training=training,
            **{**search.model_dump(), "evaluator": evaluator, "trials": trials},
            versions=_versions(training) | versions_of_evaluator(evaluator, space, training) | _data(evaluator, task),
        )

    @property
    def simulated(self) -> bool:
        """Whether any budget is on a simulated device; then nothing is certified."""
        return any(target.simulated for target in self.targets)

    def task_options(self, folder: Path | None) -> TaskOptions:
        """Options of the run's task, which keeps its files in ``folder``, or none."""
        data = DataOptions(
            source=self.data,
            size=self.data_size,
            count=self.data_count,
            resize_masks=self.resize_masks,
            hold_out_test=self.data_test,
        )
        return TaskOptions(data, self.training, self.seed, folder)


def _available(names: Sequence[str]) -> tuple[str, ...]:
    """The full names of the targets of these names, each once.

    Raises:
        UserError: no such target.
        DeviceUnavailableError: one cannot be used here.
    """
    targets = {name: get_target(name) for name in names}
    for target in targets.values():
        target.info()
    return tuple(dict.fromkeys(target.full_name(name) for name, target in targets.items()))


def _versions(training: TrainingOptions) -> dict[str, str]:
    """Of all that a run's results depend on; of shipped weights where a teacher may begin with them."""
    from segmentation.pretrained.weights import shipped_sha256

    found = {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}
    if training.pretrained and training.teacher is None and training.teacher_epochs:
        found[SHIPPED_TEACHER] = shipped_sha256("teacher")
    return found


def versions_of_evaluator(evaluator: str | None, space: SearchSpace, training: TrainingOptions) -> dict[str, str]:
    """Of the nets on which its estimates rest, where it is ``pretrained``; else of the weights that nets begin with."""
    from segmentation.pretrained.weights import shipped_sha256

    if evaluator is None:
        return {}
    if EVALUATORS.parse(evaluator)[0].name == PRETRAINED:
        known = space.trained_nets()
        return {} if known is None else {TRAINED_NETS: known.sha256}
    if training.pretrained and isinstance(space, PlanSpace) and space.shipped_weights is not None:
        return {_SHIPPED[space.shipped_weights]: shipped_sha256(space.shipped_weights)}
    return {}


def _data(evaluator: str | None, task: Task) -> dict[str, str]:
    if evaluator is None or EVALUATORS.parse(evaluator)[0].preparation is None:
        return {}
    return {DATA: task.data_fingerprint}


def _parameters(search: SearchOptions, task: Task) -> int:
    """Of the only net of a known network's run."""
    space = open_nets(search.space, classes=len(task.classes), sizes=search.sizes)
    return space.parameters(space.smallest()[0])


def write_config(folder: Path, config: RunConfig) -> None:
    """Writes ``run.json`` into the run's folder, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    document = with_checksum(config.model_dump(mode="json", by_alias=True))
    write_file(folder / FILE_NAME, (json.dumps(document, indent=2) + "\n").encode())


def read_config(folder: Path) -> RunConfig:
    """Reads ``run.json``.

    Raises:
        UserError: missing, damaged, or of a newer schema.
    """
    path = folder / FILE_NAME
    try:
        document = read_checked_json(path)
        schema = document.get("schema_version")
        if isinstance(schema, int) and schema > SCHEMA_VERSION:
            raise UserError(
                str(path), seen=f"schema {schema}", expected=f"schema {SCHEMA_VERSION}", remedy="upgrade latseg"
            )
        return RunConfig.model_validate_json(json.dumps(document))
    except (OSError, ValueError, RecursionError) as error:  # pydantic's ValidationError is a ValueError
        seen = (isinstance(error, OSError) and error.strerror) or str(error).splitlines()[0]
        remedy = (
            f"restore it from a copy, or start a new run (after a change of your own, delete its entry {CHECKSUM!r})"
        )
        raise UserError(str(path), seen=seen, expected="what `latseg search` wrote", remedy=remedy) from error
