"""Candidates that one worker measures together."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from devices.device import Candidate, Device
from devices.measurement import FailedMeasurement, Measurement
from devices.plausible import checked
from devices.prepared import PreparedCandidate, prepare
from devices.protocol import MeasurementProtocol
from devices.reference_net import REFERENCE_NET
from devices.result import measurement_of
from devices.worker import messages
from devices.worker.client import WorkerClient, WorkerFailedError
from devices.worker.runtime import ModelFile, OperatorProfile
from devices.worker.timing import Timing
from devices.worker.transport import Transport

Result = Measurement | FailedMeasurement
_logger = logging.getLogger(__name__)


@dataclass
class Group:
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
            ConnectionLostError: the way to the worker broke.
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
        onnx = transport.put(candidate.path, candidate.parts)
        converted = self.device.convert(candidate.path)
        path = onnx if converted == candidate.path else transport.put(converted, self.device.parts(converted))
        return ModelFile(Path(path), Path(onnx), candidate.inputs)

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
