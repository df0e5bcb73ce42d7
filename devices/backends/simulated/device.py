"""The device ``simulated``: the measurement protocol on an invented machine, for tests and for planning.

Nothing is timed. ``cost.py`` beside this file computes the time of each kernel, and a random generator with a seed adds
noise and drift; the procedure is that of ``devices/worker/timing.py``. Label and seeds determine a net's result, and
not what else is in the group.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from typing_extensions import override

from devices.backends.ort.device import CpuDevice
from devices.backends.simulated.cost import KernelCost, kernel_costs
from devices.device import Availability, Candidate, Device
from devices.device_info import DeviceInfo
from devices.measurement import FailedMeasurement, Measurement, OperatorTime
from devices.model_file import check_model
from devices.prepared import PreparedCandidate, prepare
from devices.protocol import PROTOCOL_VERSION, MeasurementProtocol
from devices.reference_net import REFERENCE_NET
from devices.result import measurement_of
from devices.worker.runtime import BlockTime, LoadedModel, OperatorProfile
from devices.worker.timing import Timing, time_group
from foundation.plugin_options import PluginOptions

_DRIFT_PERIOD_MS = 700.0
_FIRST_RUN_FACTOR = 3.0
_MIN_MS = 1e-4
"""Time of a net that computes nothing."""
_VERSION = "1"


class SimulatedClock:
    """Clock of the invented machine: its speed oscillates, and each process starts at a random phase."""

    def __init__(self, drift: float, noise: float, random: np.random.Generator) -> None:
        self._drift = drift
        self._noise = noise
        self._random = random
        self._now_ms = float(random.uniform(0, _DRIFT_PERIOD_MS))

    def spend(self, work_ms: float, runs: int) -> float:
        """Advances the clock by the time of the work and returns it; noise of single runs averages out in a block."""
        swing = 1 + self._drift * (1 + math.sin(2 * math.pi * self._now_ms / _DRIFT_PERIOD_MS)) / 2
        jitter = math.exp(self._noise * float(self._random.standard_normal()) / math.sqrt(runs))
        taken = work_ms * runs * swing * jitter
        self._now_ms += taken
        return taken


class SimulatedModel(LoadedModel):
    """A model on the invented machine."""

    def __init__(self, kernels: tuple[KernelCost, ...], clock: SimulatedClock) -> None:
        self._kernels = kernels
        self._clock = clock
        self._run_ms = max(_MIN_MS, sum(kernel.ms for kernel in kernels))
        self._fresh = True
        self.load_ms = clock.spend(0.1 * len(kernels), 1)

    @override
    def time_block(self, runs: int) -> BlockTime:
        extra = (_FIRST_RUN_FACTOR - 1) * self._run_ms if self._fresh else 0.0
        self._fresh = False
        wall_ms = self._clock.spend(self._run_ms, runs) + extra
        return BlockTime(runs, wall_ms, wall_ms)

    @override
    def profile(self, runs: int) -> OperatorProfile:
        times = [self._clock.spend(kernel.ms, runs) / runs for kernel in self._kernels]
        rows = tuple(
            OperatorTime(kernel.kind, (kernel.output,), kernel.inputs, ms, kernel.output_shape, own_ms=ms)
            for kernel, ms in zip(self._kernels, times, strict=True)
        )
        return OperatorProfile("simulated", rows)


class SimulatedDevice(Device):
    """An invented machine that needs no runtime and no time; its measurements never certify anything.

    ``threads`` is not an option: the invented machine has one.
    """

    class Options(PluginOptions):
        """What the invented machine's times look like."""

        noise: float = Field(default=0.0, ge=0, le=10)
        """Standard deviation of the logarithm of one run's time."""
        drift: float = Field(default=0.0, ge=0, le=10)
        """Share by which the machine is slower at its slowest than at its fastest."""
        seed: int = Field(default=0, ge=0)
        """Of noise and drift."""

    def __init__(self, *, noise: float = 0.0, drift: float = 0.0, seed: int = 0) -> None:
        self._noise = noise
        self._drift = drift
        self._seed = seed
        self._real = CpuDevice()
        given = {"noise": f"{noise:g}", "drift": f"{drift:g}", "seed": str(seed)}
        settings = ",".join(f"{key}={value}" for key, value in given.items() if value != "0")
        self.name = f"simulated:{settings}" if settings else "simulated"

    @property
    @override
    def machine(self) -> str:
        """Its own: nothing is timed, so nothing is disturbed."""
        return self.name

    @override
    def availability(self) -> Availability:
        return Availability(True)

    @override
    def info(self) -> DeviceInfo:
        return DeviceInfo(self.name, "invented", "simulated", _VERSION, 1, "float32", True, PROTOCOL_VERSION)

    @override
    def measure(
        self,
        candidates: Sequence[Candidate],
        *,
        nominal_reference_ms: float,
        protocol: MeasurementProtocol,
        seed: int = 0,
    ) -> Iterator[Measurement | FailedMeasurement]:
        prepared = [prepare(candidate) for candidate in candidates]
        return self._measure(prepared, nominal_reference_ms, protocol, seed)

    @override
    def infer(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
        return self._real.infer(path, inputs)

    def _measure(
        self, candidates: list[PreparedCandidate], nominal_reference_ms: float, protocol: MeasurementProtocol, seed: int
    ) -> Iterator[Measurement | FailedMeasurement]:
        for candidate in candidates:
            # Each by itself: what a net takes must not depend on the group in which it is measured.
            random = np.random.default_rng([self._seed, seed, *candidate.label.encode()])
            clock = SimulatedClock(self._drift, self._noise, random)
            model = SimulatedModel(_kernels(candidate), clock)
            reference = SimulatedModel(_reference_kernels(), clock)
            timing = time_group({0: model}, reference, protocol, random=random)[0]
            assert isinstance(timing, Timing), "simulated models do not fail"
            profile = model.profile(protocol.profile_runs) if protocol.profile_runs else None
            yield measurement_of(
                candidate,
                timing,
                profile or OperatorProfile("not requested"),
                device=self.info(),
                nominal_reference_ms=nominal_reference_ms,
                protocol=protocol,
                started_at="",
            )


def _kernels(candidate: PreparedCandidate) -> tuple[KernelCost, ...]:
    return kernel_costs(check_model(candidate.path), {each.name: each.shape for each in candidate.inputs})


@lru_cache(maxsize=1)
def _reference_kernels() -> tuple[KernelCost, ...]:
    return kernel_costs(check_model(REFERENCE_NET), {})
