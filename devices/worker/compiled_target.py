"""A compiled target whose compiler lives in a worker process of an installed environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from devices.compiled_target import CompiledTarget
from devices.device_info import DeviceInfo
from devices.emulated_device import EmulatedDevice
from devices.installations.python_environment import PythonEnvironment
from devices.model_file import check_model
from devices.target import Availability
from devices.worker.client import WorkerClient
from devices.worker.inference import InferenceProcess
from devices.worker.runtime import ModelFailedError
from devices.worker.transport import LocalTransport
from foundation.errors import UserError
from foundation.temporary_folder import TemporaryFolder

COMPILE_TIMEOUT_S = 300.0
"""Compiling and emulating take seconds for nets of our size."""


class ProcessCompiler(CompiledTarget):
    """Implements the contract for targets that name a ``Compiler`` and the environment in which it runs."""

    runtime: ClassVar[str]
    """``module:class`` of the ``Compiler``."""
    installation: ClassVar[type[PythonEnvironment]]
    package: ClassVar[str]
    """Distribution of the compiler, one of the installation's packages."""
    hardware: ClassVar[str]
    """What it compiles for."""
    precision: ClassVar[str]
    emulated: ClassVar[bool] = False
    """Whether compiled models can be run here, in the vendor's emulator."""

    def __init__(self) -> None:
        self._environment = self.installation()
        self._process: InferenceProcess | None = None

    @override
    def availability(self) -> Availability:
        if self._environment.is_installed():
            return Availability(True)
        return Availability(False, f"{self._environment.name} is not installed", self._environment.remedy)

    @override
    def info(self) -> DeviceInfo:
        self.require_available()
        return DeviceInfo(
            name=self.name,
            hardware=self.hardware,
            runtime=self.package,
            runtime_version=self._environment.version(self.package),
            threads=1,
            precision=self.precision,
        )

    @override
    def compile(self, path: Path, inputs: Mapping[str, NDArray[np.generic]], artifact: Path) -> tuple[str, ...]:
        self.require_available()
        check_model(path)
        try:
            return self._worker().compile(path, inputs, artifact)
        except ModelFailedError as error:
            raise self._refused(path, error) from error

    @property
    @override
    def emulator(self) -> EmulatedDevice | None:
        return CompilersEmulator(self) if self.emulated else None

    def emulate(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
        """Runs the model in the emulator; it is compiled first, unless it was the last one that was."""
        if not self._worker().holds(path):
            with TemporaryFolder() as folder:
                self.compile(path, inputs, folder.path / "artifact")
        try:
            return self._worker().infer(inputs)
        except ModelFailedError as error:
            raise self._refused(path, error) from error

    def _worker(self) -> InferenceProcess:
        if self._process is None:
            transport = LocalTransport(python=self._environment.python)
            worker = WorkerClient(self.runtime, 1, COMPILE_TIMEOUT_S, transport)
            self._process = InferenceProcess(worker, COMPILE_TIMEOUT_S)
        return self._process

    def _refused(self, path: Path, error: ModelFailedError) -> UserError:
        self._process = None  # what a failure leaves in a compiler may make it refuse the next model, too
        return UserError(
            f"model {path}", seen=str(error), expected=f"operators that {self.name} compiles",
            remedy="replace the operator",
        )  # fmt: skip


class CompilersEmulator(EmulatedDevice):
    """The emulator that comes with a compiler."""

    def __init__(self, target: ProcessCompiler) -> None:
        self.name = f"{target.name} emulator"
        self._target = target

    @override
    def availability(self) -> Availability:
        return self._target.availability()

    @override
    def info(self) -> DeviceInfo:
        return self._target.info()

    @override
    def infer(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
        return self._target.emulate(path, inputs)
