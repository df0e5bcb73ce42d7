"""A device on this machine whose runtime lives in a worker process."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from typing_extensions import override

from devices import hardware
from devices.device import Availability, Candidate, Device
from devices.device_info import DeviceInfo
from devices.footprint import Footprint
from devices.measurement import FailedMeasurement
from devices.model_file import check_model
from devices.package_version import package_version
from devices.prepared import PreparedCandidate, prepare
from devices.protocol import PROTOCOL_VERSION, MeasurementProtocol
from devices.worker.client import START_S, WorkerClient, WorkerFailedError
from devices.worker.group import Group, Result
from devices.worker.inference import INFERENCE_TIMEOUT_S, InferenceProcess
from devices.worker.reconnection import PAUSES_S, Reconnection
from devices.worker.runtime import ModelFailedError, RuntimeLostError
from devices.worker.transport import ConnectionLostError, LocalTransport, Transport
from foundation.errors import DeviceUnavailableError, UserError
from foundation.plugin_options import PluginOptions

_logger = logging.getLogger(__name__)
T = TypeVar("T")
_LOADS = 5
"""Of a file, for its footprint."""


class ProcessDevice(Device):
    """Implements the contract for devices that name a ``Runtime``; see ``devices/worker/main.py``."""

    runtime: str
    """``module:class`` of the ``Runtime``; with a further ``:setting`` it is given this text after the threads."""
    package: ClassVar[str]
    """Name of the runtime, of its Python package and of its distribution."""
    install: ClassVar[str]
    """Command that installs it."""
    compute_units: ClassVar[tuple[str, ...]] = ("cpu",)
    """Where the runtime computes."""
    computes_in_worker: ClassVar[bool] = True
    """False where the runtime computes in another process than the worker, or on a GPU: the worker's memory then tells
    nothing."""
    imports: ClassVar[tuple[str, ...]] = ()
    """Distributions that its worker imports beside the runtime, numpy and onnx."""
    precision: ClassVar[str] = "float32"
    """In which it computes."""
    over_ssh: ClassVar[bool] = False
    """Whether ``ssh://HOST/NAME`` may name it: its worker needs ``package`` and ``imports`` only, and ``info`` is not
    overridden."""
    start_s: ClassVar[float] = START_S
    """Time until the first step of a worker."""

    class Options(PluginOptions):
        """Every runtime in a worker process lets the user choose its number of threads."""

        threads: int = Field(default=1, ge=1, le=4096)
        """A number from a bundle must not exhaust the machine."""

    def __init__(self, *, threads: int = 1) -> None:
        self.threads = threads
        self._inference: InferenceProcess | None = None

    @override
    def availability(self) -> Availability:
        installed = self.installed()
        return self._usable_with(hardware.cpu_flags()) if installed.available else installed

    def _usable_with(self, flags: frozenset[str]) -> Availability:
        computes = self.computing(flags)
        return self.conversion() if computes.available else computes

    def installed(self) -> Availability:
        """Whether the runtime's package is installed on this machine."""
        if find_spec(self.package) is None:
            return Availability(False, f"{self.package} is not installed", self.install)
        return Availability(True)

    def computing(self, flags: frozenset[str]) -> Availability:  # noqa: ARG002
        """Whether a processor with these ``hardware.cpu_flags`` computes in ``precision``. Never raises."""
        return Availability(True)

    def conversion(self) -> Availability:
        """Whether this machine can convert models to ``format``; the runtime may be on another one. Never raises."""
        return Availability(True)

    def settings(self) -> tuple[tuple[str, str], ...]:
        """``DeviceInfo.settings`` of an available device."""
        return ()

    @override
    def info(self) -> DeviceInfo:
        self.require_available()
        return self._info(hardware.cpu_name(), self.runtime_version(), hardware.clock_mhz(), hardware.load_average())

    def _info(self, processor: str, version: str, clock_mhz: float | None, load_average: float | None) -> DeviceInfo:
        emulator = self.emulated_by()
        return DeviceInfo(
            name=self.name,
            hardware=f"{processor}, emulated by {emulator}" if emulator else processor,
            runtime=self.package,
            runtime_version=version,
            threads=self.threads,
            precision=self.precision,
            protocol_version=PROTOCOL_VERSION,
            settings=self.settings(),
            clock_mhz=clock_mhz,
            load_average=load_average,
        )

    @override
    def emulated_by(self) -> str:
        return hardware.emulator()

    def runtime_version(self) -> str:
        """Of the package, which is installed."""
        return package_version(self.package) or "unknown"

    def _require_meaningful_times(self) -> None:
        if emulator := self.emulated_by():
            raise DeviceUnavailableError(
                f"device {self.name!r}",
                seen=f"a processor that is emulated by {emulator}",
                expected="a processor whose times mean something",
                remedy="use it for `latseg check` only, which compares outputs",
            )

    def transport(self) -> Transport:
        """The way to a new worker: a process on this machine unless a device overrides it."""
        return LocalTransport()

    def file_for_inference(self, path: Path) -> Path:
        """The file that the runtime loads in ``infer``: the checked ONNX model, converted where that is necessary.

        A device overrides it where its exporter writes files of the runtime's own format.

        Raises:
            UserError: the file is missing, is not an ONNX model, or cannot be converted.
        """
        check_model(path)
        return self.convert(path)

    def prepared(self, candidate: Candidate) -> PreparedCandidate:
        """The candidate, read and checked (``devices.prepared.prepare``)."""
        return prepare(candidate)

    @override
    def check(self, candidate: Candidate) -> None:
        self.prepared(candidate)

    @override
    def measure(
        self,
        candidates: Sequence[Candidate],
        *,
        nominal_reference_ms: float,
        protocol: MeasurementProtocol,
        seed: int = 0,
    ) -> Iterator[Result]:
        self.require_available()
        self._require_meaningful_times()
        prepared = [self.prepared(candidate) for candidate in candidates]
        return self._measure(prepared, nominal_reference_ms, protocol, seed)

    @override
    def infer(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
        return self._reconnecting(lambda: self._infer(path, inputs))

    def _reconnecting(self, use: Callable[[], T]) -> T:
        """What ``use`` returns, called again where the connection was lost."""
        self.require_available()
        try:
            return Reconnection(self.name).call(use)
        except DeviceUnavailableError:
            self.require_available()  # what is missing by now says more than that no worker starts
            raise

    def _infer(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
        """The last model stays loaded in its worker process."""
        if self._inference is None:
            self._inference = InferenceProcess(self._worker(INFERENCE_TIMEOUT_S))
        try:
            if not self._inference.holds(path):
                file = self.file_for_inference(path)
                self._inference.load(path, file, self.parts(file))
            return self._inference.infer(inputs)
        except (ConnectionLostError, DeviceUnavailableError):
            self._inference = None
            raise
        except ModelFailedError as error:
            self._inference = None  # a process that crashed serves no more
            raise _unsupported(path, error) from error

    @override
    def footprint(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> Footprint | None:
        if self.emulated_by():
            return None
        return self._reconnecting(lambda: self._footprint(path, inputs))

    def _footprint(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> Footprint:
        file = self.file_for_inference(path)
        parts = self.parts(file)
        process = InferenceProcess(self._worker(INFERENCE_TIMEOUT_S))
        try:
            process.load(path, file, parts)  # starts the runtime, too
            process.infer(inputs)
            loads_ms = []
            for _ in range(_LOADS):
                process.load(path, file, parts)
                loads_ms.append(process.load_ms)
        except ModelFailedError as error:
            raise _unsupported(path, error) from error
        finally:
            process.close()
        peak = process.peak_memory_bytes if self.computes_in_worker else None
        return Footprint(round(median(loads_ms), 2), None if peak is None else round(peak / 1e6, 1), self.compute_units)

    def _worker(self, timeout_s: float) -> WorkerClient:
        return WorkerClient(self.runtime, self.threads, timeout_s, self.transport(), start_s=self.start_s)

    def _check_runtime(self, protocol: MeasurementProtocol) -> None:
        """Runs the reference net and nothing else.

        Raises:
            DeviceUnavailableError: the device cannot be used any more, or the runtime fails on the net, so that no
                candidate is at fault.
        """
        with self._worker(protocol.timeout_s) as worker:
            try:
                list(Group(self, [], 1.0, protocol, 0).run(worker))
            except WorkerFailedError as failure:
                self.require_available()  # what is missing by now says more
                raise DeviceUnavailableError(
                    f"device {self.name!r}",
                    seen=f"the reference net failed ({failure.reason})",
                    expected="a runtime that runs it",
                    remedy="reinstall the runtime",
                ) from failure

    def _measure(
        self, prepared: list[PreparedCandidate], nominal_reference_ms: float, protocol: MeasurementProtocol, seed: int
    ) -> Iterator[Result]:
        """Where a worker fails while no candidate is running, the remaining candidates are measured one by one.

        So it is where several workers in a row lose their runtime; with a single candidate it is at fault.
        """
        pending: list[PreparedCandidate] = []
        for candidate in prepared:
            try:
                self.convert(candidate.path)
                pending.append(candidate)
            except UserError as error:
                _logger.info("could not convert %s for %s: %s", candidate.label, self.name, error)
                yield FailedMeasurement(candidate.label, candidate.sha256, self.info(), str(error))
        groups, isolated, reconnection = [pending] if pending else [], False, Reconnection(self.name)
        while groups:
            group = Group(self, groups.pop(0), nominal_reference_ms, protocol, seed)
            failure = yield from self._run(group, protocol)
            if failure is None:
                continue
            _logger.debug("the worker failed: %s", failure)
            progress = len(group.open) < len(group.candidates)
            if isinstance(failure, RuntimeLostError) and reconnection.is_spent and not progress:
                failure = WorkerFailedError(f"{failure}, {len(PAUSES_S) + 1} times in a row", -1)
            if isinstance(failure, ConnectionLostError):
                reconnection.wait(failure, progress=progress)
            else:
                if failure.candidate < 0:
                    reconnection.call(lambda: self._check_runtime(protocol))
                    reconnection = Reconnection(self.name)
                    if not isolated:
                        groups, isolated = [[candidate] for candidate in group.remaining()], True
                        continue
                yield from group.attribute(failure)
            groups[:0] = [group.remaining()] if group.open else []

    def _run(
        self, group: Group, protocol: MeasurementProtocol
    ) -> Generator[Result, None, WorkerFailedError | ConnectionLostError | None]:
        """Yields the results of one worker; returns its failure."""
        try:
            with self._worker(protocol.timeout_s) as worker, closing(group.run(worker)) as results:
                yield from results
        except (WorkerFailedError, ConnectionLostError) as failure:
            return failure
        return None


def _unsupported(path: Path, error: ModelFailedError) -> UserError:
    return UserError(
        f"model {path}",
        seen=str(error),
        expected="operators that the runtime supports",
        remedy="replace the operator",
    )
