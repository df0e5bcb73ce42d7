"""A device on this machine whose runtime lives in a worker process."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from typing_extensions import override

from devices import hardware
from devices.device import Availability, Candidate, Device
from devices.device_info import DeviceInfo
from devices.measurement import FailedMeasurement, Measurement
from devices.model_file import check_model
from devices.plausible import checked
from devices.prepared import PreparedCandidate, prepare
from devices.protocol import PROTOCOL_VERSION, MeasurementProtocol
from devices.reference_net import REFERENCE_NET
from devices.result import measurement_of
from devices.worker import messages
from devices.worker.client import WorkerClient, WorkerFailedError
from devices.worker.inference import INFERENCE_TIMEOUT_S, InferenceProcess
from devices.worker.runtime import ModelFailedError, ModelFile, OperatorProfile
from devices.worker.timing import Timing
from devices.worker.transport import LocalTransport, Transport
from foundation.errors import DeviceUnavailableError, UserError
from foundation.plugin_options import PluginOptions

Result = Measurement | FailedMeasurement
_logger = logging.getLogger(__name__)


class ProcessDevice(Device):
    """Implements the contract for devices that name a ``Runtime``; see ``devices/worker/main.py``."""

    runtime: ClassVar[str]
    """``module:class`` of the ``Runtime``."""
    package: ClassVar[str]
    """Name of the runtime, of its Python package and of its distribution."""
    install: ClassVar[str]
    """Command that installs it."""

    class Options(PluginOptions):
        """Every runtime in a worker process lets the user choose its number of threads."""

        threads: int = Field(default=1, ge=1, le=4096)
        """A number from a bundle must not exhaust the machine."""

    def __init__(self, *, threads: int = 1) -> None:
        self.threads = threads
        self._inference: InferenceProcess | None = None

    @override
    def availability(self) -> Availability:
        if find_spec(self.package) is None:
            return Availability(False, f"{self.package} is not installed", self.install)
        return Availability(True)

    @override
    def info(self) -> DeviceInfo:
        self.require_available()
        return DeviceInfo(
            name=self.name,
            hardware=hardware.cpu_name(),
            runtime=self.package,
            runtime_version=self.runtime_version(),
            threads=self.threads,
            precision="float32",
            protocol_version=PROTOCOL_VERSION,
            clock_mhz=hardware.clock_mhz(),
            load_average=hardware.load_average(),
        )

    def runtime_version(self) -> str:
        """Of the runtime that the worker loads."""
        return metadata.version(self.package)

    def require_available(self) -> None:
        """Raises ``DeviceUnavailableError`` where the device cannot be used."""
        status = self.availability()
        if not status.available:
            raise DeviceUnavailableError(
                f"device {self.name!r}", seen=status.reason, expected="a device of this machine", remedy=status.remedy
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
        prepared = [self.prepared(candidate) for candidate in candidates]
        return self._measure(prepared, nominal_reference_ms, protocol, seed)

    @override
    def infer(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
        # The last model stays loaded in its worker process.
        self.require_available()
        if self._inference is None:
            self._inference = InferenceProcess(self._worker(INFERENCE_TIMEOUT_S))
        try:
            if not self._inference.holds(path):
                self._inference.load(path, self.file_for_inference(path))
            return self._inference.infer(inputs)
        except ModelFailedError as error:
            self._inference = None  # a process that crashed serves no more
            raise UserError(
                f"model {path}",
                seen=str(error),
                expected="operators that the runtime supports",
                remedy="replace the operator",
            ) from error

    def _worker(self, timeout_s: float) -> WorkerClient:
        return WorkerClient(self.runtime, self.threads, timeout_s, self.transport())

    def _check_runtime(self, protocol: MeasurementProtocol) -> None:
        """Runs the reference net and nothing else.

        Raises:
            DeviceUnavailableError: the runtime fails on it, so that no candidate is at fault.
        """
        with self._worker(protocol.timeout_s) as worker:
            try:
                list(_Group(self, [], 1.0, protocol, 0).run(worker))
            except WorkerFailedError as failure:
                raise DeviceUnavailableError(
                    f"device {self.name!r}",
                    seen=f"the reference net failed ({failure.reason})",
                    expected="a runtime that runs it",
                    remedy="reinstall the runtime",
                ) from failure

    def _measure(
        self, prepared: list[PreparedCandidate], nominal_reference_ms: float, protocol: MeasurementProtocol, seed: int
    ) -> Iterator[Result]:
        """Where a worker fails while no candidate is running, the remaining candidates are measured one by one."""
        pending: list[PreparedCandidate] = []
        for candidate in prepared:
            try:
                self.convert(candidate.path)
                pending.append(candidate)
            except UserError as error:
                _logger.info("could not convert %s for %s: %s", candidate.label, self.name, error)
                yield FailedMeasurement(candidate.label, candidate.sha256, self.info(), str(error))
        groups, isolated = [pending] if pending else [], False
        while groups:
            group = _Group(self, groups.pop(0), nominal_reference_ms, protocol, seed)
            failure = yield from self._run(group, protocol)
            if failure is None:
                continue
            _logger.debug("the worker failed: %s", failure.reason)
            if failure.candidate < 0:
                self._check_runtime(protocol)
                if not isolated:
                    groups, isolated = [[candidate] for candidate in group.remaining()], True
                    continue
            yield from group.attribute(failure)
            groups[:0] = [group.remaining()] if group.open else []

    def _run(self, group: _Group, protocol: MeasurementProtocol) -> Generator[Result, None, WorkerFailedError | None]:
        """Yields the results of one worker; returns its failure."""
        with self._worker(protocol.timeout_s) as worker, closing(group.run(worker)) as results:
            try:
                yield from results
            except WorkerFailedError as failure:
                return failure
        return None


@dataclass
class _Group:
    """One request to one worker; ``open`` holds the positions of the candidates without a result."""

    device: Device
    candidates: list[PreparedCandidate]
    nominal_reference_ms: float
    protocol: MeasurementProtocol
    seed: int
    timings: dict[int, Timing] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.info = self.device.info()
        self.started_at = datetime.now(UTC).isoformat(timespec="seconds")
        self.open = set(range(len(self.candidates)))

    def run(self, worker: WorkerClient) -> Generator[Result, None, None]:
        """Yields results as they arrive from the worker.

        Raises:
            WorkerFailedError: the worker crashed or hung.
        """
        reference = prepare(Candidate("reference net", REFERENCE_NET))
        files = [self._file(each, worker.transport) for each in (reference, *self.candidates)]
        _logger.debug("measuring %s in one group", ", ".join(each.label for each in self.candidates) or "nothing")
        worker.send(messages.Measure(files[0], tuple(files[1:]), self.protocol, self.seed))
        while not isinstance(answer := worker.receive(), messages.Done):
            if isinstance(answer, messages.Timed):
                self.timings[answer.candidate] = answer.timing
                self._log_timing(self.candidates[answer.candidate].label, answer.timing)
            elif isinstance(answer, messages.Failed):
                yield self._failed(answer.candidate, answer.reason)
            elif isinstance(answer, messages.Profiled):
                yield self._measured(answer.candidate, answer.profile)
                worker.send(messages.Continue())

    def remaining(self) -> list[PreparedCandidate]:
        """Candidates without a result."""
        return [self.candidates[index] for index in sorted(self.open)]

    def attribute(self, failure: WorkerFailedError) -> Iterator[Result]:
        """The result that a failure leaves for the candidate that was running, else for the only one that is left.

        A candidate that was timed and crashed under the profiler keeps its timing, without operator times.
        """
        candidate = failure.candidate if failure.candidate >= 0 else min(self.open, default=-1)
        if candidate not in self.open:
            return
        if candidate in self.timings:
            yield self._measured(candidate, OperatorProfile(f"profiling failed: {failure.reason}"))
        else:
            yield self._failed(candidate, failure.reason)

    def _file(self, candidate: PreparedCandidate, transport: Transport) -> ModelFile:
        converted = self.device.convert(candidate.path)
        return ModelFile(Path(transport.put(converted)), Path(transport.put(candidate.path)), candidate.inputs)

    def _log_timing(self, label: str, timing: Timing) -> None:
        waited = sum(block.waited_ms * block.runs for block in timing.blocks)
        reference_ms = [block.reference_ms for block in timing.blocks]
        _logger.debug(
            "%s: loaded in %.1f ms, first run %.3f ms, %d blocks, reference net %.3f to %.3f ms, waited %.1f ms",
            label,
            timing.load_ms,
            timing.first_run_ms,
            len(timing.blocks),
            min(reference_ms),
            max(reference_ms),
            waited,
        )

    def _measured(self, candidate: int, profile: OperatorProfile) -> Result:
        self.open.discard(candidate)
        measured = measurement_of(
            self.candidates[candidate],
            self.timings[candidate],
            profile,
            device=self.info,
            nominal_reference_ms=self.nominal_reference_ms,
            protocol=self.protocol,
            started_at=self.started_at,
        )
        return checked(measured)

    def _failed(self, candidate: int, reason: str) -> FailedMeasurement:
        self.open.discard(candidate)
        prepared = self.candidates[candidate]
        _logger.info("could not measure %s on %s: %s", prepared.label, self.device.name, reason)
        return FailedMeasurement(prepared.label, prepared.sha256, self.info, reason, self.started_at)
