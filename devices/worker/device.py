"""A device on this machine whose runtime lives in a worker process."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from typing_extensions import override

from devices import hardware
from devices.device import Availability, Candidate, Device
from devices.device_info import DeviceInfo
from devices.measurement import FailedMeasurement, Measurement
from devices.model_file import check_model
from devices.model_inputs import model_inputs
from devices.prepared import PreparedCandidate, prepare
from devices.protocol import PROTOCOL_VERSION, MeasurementProtocol
from devices.reference_net import REFERENCE_NET
from devices.result import measurement_of
from devices.worker.client import WorkerClient, WorkerFailedError
from devices.worker.feeding import refused
from devices.worker.inference import InferenceProcess
from devices.worker.messages import profile_from_json, timing_from_json
from devices.worker.session import OperatorProfile, SessionError
from devices.worker.timing import Timing
from foundation.errors import DeviceUnavailableError
from foundation.plugin_options import PluginOptions

Result = Measurement | FailedMeasurement


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

        threads: int = Field(default=1, ge=1)

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
            runtime_version=metadata.version(self.package),
            threads=self.threads,
            precision="float32",
            protocol_version=PROTOCOL_VERSION,
            clock_mhz=hardware.clock_mhz(),
            load_average=hardware.load_average(),
        )

    def require_available(self) -> None:
        """Raises ``DeviceUnavailableError`` where the device cannot be used."""
        status = self.availability()
        if not status.available:
            raise DeviceUnavailableError(
                f"device {self.name!r}", seen=status.reason, expected="a device of this machine", remedy=status.remedy
            )

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
        prepared = [prepare(candidate) for candidate in candidates]
        return self._measure(prepared, nominal_reference_ms, protocol, seed)

    @override
    def infer(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
        # The last model stays loaded in its worker process.
        self.require_available()
        if self._inference is None:
            self._inference = InferenceProcess(self.runtime, self.threads)
        try:
            if not self._inference.holds(path):
                check_model(path)
                self._inference.load(path)
            return self._inference.infer(inputs)
        except SessionError as error:
            self._inference = None  # a process that crashed serves no more
            raise refused(path, error) from error

    def _check_runtime(self, protocol: MeasurementProtocol) -> None:
        """Runs the reference net and nothing else.

        Raises:
            DeviceUnavailableError: the runtime fails on it, so that no candidate is at fault.
        """
        with WorkerClient(self.runtime, self.threads, protocol.timeout_s) as worker:
            try:
                list(_Group([], self.info(), 1.0, protocol, 0).run(worker))
            except WorkerFailedError as failure:
                raise DeviceUnavailableError(
                    f"device {self.name!r}",
                    seen=f"the reference net failed ({failure.reason})",
                    expected="a runtime that runs it",
                    remedy="reinstall the runtime",
                ) from failure

    def _measure(
        self, pending: list[PreparedCandidate], nominal_reference_ms: float, protocol: MeasurementProtocol, seed: int
    ) -> Iterator[Result]:
        """A worker that fails with no candidate in hand leaves those that are open to be measured one by one."""
        groups, alone = [pending], False
        while groups:
            group = _Group(groups.pop(0), self.info(), nominal_reference_ms, protocol, seed)
            failure = yield from self._run(group, protocol)
            if failure is None:
                continue
            if failure.candidate < 0:
                self._check_runtime(protocol)
                if not alone:
                    groups, alone = [[candidate] for candidate in group.remaining()], True
                    continue
            yield from group.blame(failure)
            groups[:0] = [group.remaining()] if group.open else []

    def _run(self, group: _Group, protocol: MeasurementProtocol) -> Generator[Result, None, WorkerFailedError | None]:
        """Yields the results of one worker; returns its failure."""
        with (
            WorkerClient(self.runtime, self.threads, protocol.timeout_s) as worker,
            closing(group.run(worker)) as results,
        ):
            try:
                yield from results
            except WorkerFailedError as failure:
                return failure
        return None


def _request(command: str, protocol: MeasurementProtocol, **more: Any) -> dict[str, Any]:
    inputs = [asdict(each) for each in model_inputs(check_model(REFERENCE_NET), ())]
    common = {"reference": str(REFERENCE_NET), "reference_inputs": inputs, "protocol": asdict(protocol)}
    return {"command": command, **common, **more}


class _Group:
    """One request to one worker; ``open`` holds the positions of the candidates without a result."""

    def __init__(
        self,
        candidates: list[PreparedCandidate],
        device: DeviceInfo,
        nominal_reference_ms: float,
        protocol: MeasurementProtocol,
        seed: int,
    ) -> None:
        self._candidates = candidates
        self._device = device
        self._nominal_reference_ms = nominal_reference_ms
        self._protocol = protocol
        self._seed = seed
        self._timings: dict[int, Timing] = {}
        self._started_at = datetime.now(UTC).isoformat(timespec="seconds")
        self.open = set(range(len(candidates)))

    def run(self, worker: WorkerClient) -> Generator[Result, None, None]:
        """Yields results as the worker has them.

        Raises:
            WorkerFailedError: the worker crashed or hung.
        """
        files = [{"path": str(c.path), "inputs": [asdict(each) for each in c.inputs]} for c in self._candidates]
        worker.send(_request("measure", self._protocol, candidates=files, seed=self._seed))
        while (answer := worker.receive())["event"] != "done":
            candidate = answer["candidate"]
            if answer["event"] == "timed":
                self._timings[candidate] = timing_from_json(answer["timing"])
            elif answer["event"] == "failed":
                yield self._failed(candidate, answer["reason"])
            else:
                yield self._measured(candidate, profile_from_json(answer["profile"]))
                worker.send({"command": "continue"})

    def remaining(self) -> list[PreparedCandidate]:
        """Candidates without a result."""
        return [self._candidates[index] for index in sorted(self.open)]

    def blame(self, failure: WorkerFailedError) -> Iterator[Result]:
        """The result that a failure leaves, of the candidate in hand, else of the one that is left.

        A candidate that was timed and died under the profiler keeps its timing, without operator times.
        """
        candidate = failure.candidate if failure.candidate >= 0 else min(self.open, default=-1)
        if candidate not in self.open:
            return
        if candidate in self._timings:
            yield self._measured(candidate, OperatorProfile(f"profiling failed: {failure.reason}"))
        else:
            yield self._failed(candidate, failure.reason)

    def _measured(self, candidate: int, profile: OperatorProfile) -> Measurement:
        self.open.discard(candidate)
        return measurement_of(
            self._candidates[candidate],
            self._timings[candidate],
            profile,
            device=self._device,
            nominal_reference_ms=self._nominal_reference_ms,
            protocol=self._protocol,
            started_at=self._started_at,
        )

    def _failed(self, candidate: int, reason: str) -> FailedMeasurement:
        self.open.discard(candidate)
        prepared = self._candidates[candidate]
        return FailedMeasurement(prepared.label, prepared.sha256, self._device, reason, self._started_at)
