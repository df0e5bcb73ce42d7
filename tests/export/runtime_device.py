"""A device that really runs models on ONNX Runtime and returns the latency that a test sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from devices.device import Availability, Candidate, Device
from devices.device_info import DeviceInfo
from devices.footprint import Footprint
from devices.measurement import Block, FailedMeasurement, Measurement, NoiseFloor
from devices.model_file import sha256_of
from devices.protocol import MeasurementProtocol

INFO = DeviceInfo(
    name="cpu", hardware="test machine", runtime="onnxruntime", runtime_version="1", threads=1, precision="float32"
)


def measurement(path: Path, *, latency_ms: float = 4.0, info: DeviceInfo = INFO, **changes: object) -> Measurement:
    nominal_ms = float(changes.pop("nominal_reference_ms", 2.0))
    blocks = tuple(Block(5, share * latency_ms, nominal_ms) for share in (0.99, 1.0, 1.01))
    taken = Measurement(
        label="bundle",
        model_sha256=sha256_of(path),
        device=info,
        latency_ms=latency_ms,
        interval_ms=(0.99 * latency_ms, 1.01 * latency_ms),
        raw_median_ms=latency_ms,
        minimum_ms=latency_ms,
        p90_ms=latency_ms,
        p99_ms=latency_ms,
        first_run_ms=9.0,
        load_ms=30.0,
        nominal_reference_ms=nominal_ms,
        converged=True,
        cpu_per_wall=1.0,
        blocks=blocks,
        started_at="2025-01-01T00:00:00+00:00",
        input_shapes=((1, 3, 32, 48),),
        protocol={"block_ms": 10.0},
    )
    return replace(taken, **changes)


@dataclass
class RuntimeDevice(Device):
    name: str = "cpu"
    device_info: DeviceInfo = INFO
    latency_ms: float = 4.0
    crashes: bool = False
    usable: bool = True
    reference_ms: float = 2.1
    """Within noise of the 2.0 ms of ``measurement``."""
    nominal_times: list[float] = field(default_factory=list)
    """Nominal reference times, protocols and seeds that ``measure`` was called with."""
    protocols: list[MeasurementProtocol] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)

    def availability(self) -> Availability:
        return Availability(self.usable, "" if self.usable else "not installed")

    def info(self) -> DeviceInfo:
        return self.device_info

    def nominal_reference_ms(self) -> float:
        return self.reference_ms

    def measure(
        self,
        candidates: Sequence[Candidate],
        *,
        nominal_reference_ms: float,
        protocol: MeasurementProtocol,
        seed: int = 0,
    ) -> Iterator[Measurement | FailedMeasurement]:
        self.nominal_times.append(nominal_reference_ms)
        self.protocols.append(protocol)
        self.seeds.append(seed)
        for candidate in candidates:
            if self.crashes:
                yield FailedMeasurement(candidate.label, sha256_of(candidate.path), self.device_info, "out of memory")
            else:
                label, ms = candidate.label, self.latency_ms
                yield measurement(candidate.path, label=label, latency_ms=ms, info=self.device_info)

    def footprint(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> Footprint:
        self.infer(path, inputs)
        return Footprint(12.5, 45.2, ("cpu",))

    def noise_floor(self, candidate: Candidate, **_: object) -> NoiseFloor:
        return NoiseFloor(1.0, 20.0, 10)

    def infer(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return session.run(None, dict(inputs))
