"""The device ``simulated``: the measurement protocol over an invented machine, for tests and for planning.

Nothing is timed. Times come from ``cost.py`` beside this file, noise and drift from a seed; the protocol is that of
``devices/worker/timing.py``. The same call gives the same result.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from devices.backends.ort.device import CpuDevice
from devices.backends.simulated.cost import KernelCost, kernel_costs
from devices.device import Availability, Candidate, Device
from devices.device_info import DeviceInfo
from devices.measurement import FailedMeasurement, Measurement, NoiseFloor, OperatorTime
from devices.model_file import check_model
from devices.noise import measure_noise_floor
from devices.prepared import PreparedCandidate, prepare
from devices.protocol import PROTOCOL_VERSION, MeasurementProtocol
from devices.reference_net import build_reference_net
from devices.result import measurement_of
from devices.worker.session import BlockTime, OperatorProfile, Session
from devices.worker.timing import Timing, time_alone, time_group
from foundation.errors import UserError

_DRIFT_PERIOD_MS = 700.0
_FIRST_RUN_FACTOR = 3.0
_LEAST_MS = 1e-4
"""Of a net that computes nothing."""
_NOMINAL_PROCESSES = 5
_VERSION = "1"


class SimulatedClock:
    """The invented machine's time: its speed swings, and every process begins somewhere on that swing."""

    def __init__(self, drift: float, noise: float, random: np.random.Generator) -> None:
        self._drift = drift
        self._noise = noise
        self._random = random
        self._now_ms = float(random.uniform(0, _DRIFT_PERIOD_MS))

    def spend(self, work_ms: float, runs: int) -> float:
        """Passes the time that the work takes now; noise of single runs averages out within a block."""
        swing = 1 + self._drift * (1 + math.sin(2 * math.pi * self._now_ms / _DRIFT_PERIOD_MS)) / 2
        jitter = math.exp(self._noise * float(self._random.standard_normal()) / math.sqrt(runs))
        taken = work_ms * runs * swing * jitter
        self._now_ms += taken
        return taken


class SimulatedSession(Session):
    """A model on the invented machine."""

    def __init__(self, kernels: tuple[KernelCost, ...], clock: SimulatedClock) -> None:
        self._kernels = kernels
        self._clock = clock
        self._run_ms = max(_LEAST_MS, sum(kernel.ms for kernel in kernels))
        self._fresh = True
        self.load_ms = clock.spend(0.1 * len(kernels), 1)

    def time_block(self, runs: int) -> BlockTime:
        """See ``Session``; the first run takes longer."""
        extra = (_FIRST_RUN_FACTOR - 1) * self._run_ms if self._fresh else 0.0
        self._fresh = False
        wall_ms = self._clock.spend(self._run_ms, runs) + extra
        return BlockTime(runs, wall_ms, wall_ms)

    def profile(self, runs: int) -> OperatorProfile:
        """See ``Session``."""
        times = [self._clock.spend(kernel.ms, runs) / runs for kernel in self._kernels]
        rows = tuple(
            OperatorTime(kernel.kind, (kernel.output,), kernel.inputs, ms, kernel.output_shape, own_ms=ms)
            for kernel, ms in zip(self._kernels, times, strict=True)
        )
        return OperatorProfile("simulated", rows)


class SimulatedDevice(Device):
    """An invented machine that needs no runtime and no time; its measurements never certify anything.

    Args:
        noise: standard deviation of the logarithm of one run's time.
        drift: share by which the machine is slower at its slowest than at its fastest.
        seed: of noise and drift.
    """

    def __init__(self, *, noise: float = 0.0, drift: float = 0.0, seed: int = 0) -> None:
        for what, value in (("noise", noise), ("drift", drift)):
            if not 0 <= value <= 10:
                raise UserError(
                    f"{what} of the simulated device", seen=value, expected="0 to 10", remedy="choose another"
                )
        self._noise = noise
        self._drift = drift
        self._seed = seed
        self._real = CpuDevice()
        given = {"noise": noise, "drift": drift, "seed": seed}
        settings = ",".join(f"{key}={value:g}" for key, value in given.items() if value)
        self.name = f"simulated:{settings}" if settings else "simulated"

    def availability(self) -> Availability:
        """See ``Device``; always."""
        return Availability(True)

    def info(self) -> DeviceInfo:
        """See ``Device``."""
        return DeviceInfo(self.name, "invented", "simulated", _VERSION, 1, "float32", True, PROTOCOL_VERSION)

    def nominal_reference_ms(self) -> float:
        """See ``Device``."""
        protocol = MeasurementProtocol()
        clocks = [self._clock(process, 0) for process in range(_NOMINAL_PROCESSES)]
        return median(time_alone(SimulatedSession(_reference_kernels(), clock), protocol) for clock in clocks)

    def measure(
        self,
        candidates: Sequence[Candidate],
        *,
        nominal_reference_ms: float,
        protocol: MeasurementProtocol,
        seed: int = 0,
    ) -> Iterator[Measurement | FailedMeasurement]:
        """See ``Device``."""
        prepared = [prepare(candidate) for candidate in candidates]
        return self._measure(prepared, nominal_reference_ms, protocol, seed)

    def noise_floor(
        self,
        candidate: Candidate,
        *,
        nominal_reference_ms: float,
        protocol: MeasurementProtocol,
        seed: int = 0,
    ) -> NoiseFloor:
        """See ``Device``."""

        def measure(
            twins: Sequence[Candidate], settings: MeasurementProtocol, group_seed: int
        ) -> Iterator[Measurement | FailedMeasurement]:
            return self.measure(twins, nominal_reference_ms=nominal_reference_ms, protocol=settings, seed=group_seed)

        return measure_noise_floor(measure, candidate, protocol, seed)

    def infer(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
        """See ``Device``; results are those of ONNX Runtime."""
        return self._real.infer(path, inputs)

    def _clock(self, process: int, seed: int) -> SimulatedClock:
        return SimulatedClock(self._drift, self._noise, np.random.default_rng([self._seed, process, seed]))

    def _measure(
        self, candidates: list[PreparedCandidate], nominal_reference_ms: float, protocol: MeasurementProtocol, seed: int
    ) -> Iterator[Measurement | FailedMeasurement]:
        clock = self._clock(_NOMINAL_PROCESSES, seed)
        reference = SimulatedSession(_reference_kernels(), clock)
        sessions: dict[int, Session] = {
            index: SimulatedSession(_kernels(candidate), clock) for index, candidate in enumerate(candidates)
        }
        outcomes = time_group(sessions, reference, protocol, random=np.random.default_rng(seed))
        for index, timing in outcomes.items():
            assert isinstance(timing, Timing), "simulated sessions do not fail"
            profile = sessions[index].profile(protocol.profile_runs) if protocol.profile_runs else None
            yield measurement_of(
                candidates[index],
                timing,
                profile or OperatorProfile("not asked for"),
                device=self.info(),
                nominal_reference_ms=nominal_reference_ms,
                protocol=protocol,
                started_at="",
            )


def _kernels(candidate: PreparedCandidate) -> tuple[KernelCost, ...]:
    return kernel_costs(check_model(candidate.path), {each.name: each.shape for each in candidate.inputs})


@lru_cache(maxsize=1)
def _reference_kernels() -> tuple[KernelCost, ...]:
    return kernel_costs(build_reference_net(), {})
