"""The contract of a device: something that measures the latency of an ONNX model."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, ClassVar

from devices.footprint import Footprint
from devices.input_values import InputValues
from devices.measurement import FailedMeasurement, Measurement, NoiseFloor
from devices.protocol import MeasurementProtocol
from devices.reference_net import REFERENCE_NET
from devices.target import Availability, RunningTarget
from foundation.errors import DeviceUnavailableError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["PROCESSES", "Availability", "Candidate", "Device"]

_logger = logging.getLogger(__name__)

PROCESSES = 5
"""Fresh processes over which the nominal reference time and the noise floor are taken."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model to be measured. ``input_shapes`` fixes dynamic dimensions by input name; empty for a static model.

    ``input_values`` are fed instead of random numbers; ``devices.input_values.encode_all`` writes them.
    """

    label: str
    path: Path
    input_shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    input_values: InputValues = ()


class Device(RunningTarget):
    """A measured target: the latency of ONNX models is taken on the hardware, and only that can certify.

    A subclass implements ``availability``, ``info``, ``measure`` and ``infer``; the rest is derived from them. Its
    constructor takes the fields of ``Options`` as keyword arguments, each with a default, and loads no runtime. Every
    implementation passes ``latseg.testing.device_contract``.
    """

    listed_weights_are_inputs: ClassVar[bool] = False
    """Whether weights that a model lists among its inputs cost time, since they are no constants for the runtime."""
    relu_as_clip_is_slower: ClassVar[bool] = False
    """Whether ``Clip(0, infinity)`` takes longer than ``Relu``."""

    @property
    def machine(self) -> str:
        """On which machine it measures; empty for this one. Two devices of one machine disturb each other."""
        return ""

    @property
    def parallel(self) -> int:
        """How many models it measures at the same time.

        Raises:
            DeviceUnavailableError: the device cannot be used here.
        """
        return 1

    def check(self, candidate: Candidate) -> None:
        """Refuses what ``measure`` would refuse; runs nothing.

        Raises:
            UserError: the file is missing, is not an ONNX model, or has an input that cannot be fed.
        """

    @abstractmethod
    def measure(
        self,
        candidates: Sequence[Candidate],
        *,
        nominal_reference_ms: float,
        protocol: MeasurementProtocol,
        seed: int = 0,
    ) -> Iterator[Measurement | FailedMeasurement]:
        """Measures the candidates as one interleaved group in a fresh process and yields each result when it is known.

        A crash, hang or out-of-memory of the runtime yields ``FailedMeasurement`` for the candidate at fault; the
        others of the group are still measured.

        Raises:
            DeviceUnavailableError: the device cannot be used here.
            UserError: a file is missing or is not an ONNX model.
        """

    def footprint(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> Footprint | None:  # noqa: ARG002
        """What a file takes in a process of its own that loads it and runs it once; None where the device cannot tell.

        Raises:
            DeviceUnavailableError: the device cannot be used here.
            UserError: as ``infer``.
        """
        return None

    def other_load(self) -> float:
        """Processor cores that other programs use on the measuring machine, looked at for half a second.

        Raises:
            DeviceUnavailableError: the machine cannot be reached.
        """
        from devices.other_load import other_load

        return other_load()

    def nominal_reference_ms(self) -> float:
        """Usual time of one run of the reference net on this device: the median over five fresh processes.

        Costs seconds; the caller stores the value with the fingerprint and passes it to ``measure``.

        Raises:
            DeviceUnavailableError: the device cannot be used here, or its runtime fails on the reference net.
        """
        defaults = MeasurementProtocol()
        protocol = replace(defaults, maximum_blocks=defaults.minimum_blocks, normalise=False, profile_runs=0)
        reference = Candidate("reference net", REFERENCE_NET)
        nominal_ms = median(self._required(reference, protocol, process)[0].latency_ms for process in range(PROCESSES))
        _logger.info("nominal time of the reference net on %s: %.4g ms", self.name, nominal_ms)
        return nominal_ms

    def noise_floor(
        self,
        candidate: Candidate,
        *,
        nominal_reference_ms: float,
        protocol: MeasurementProtocol,
        seed: int = 0,
    ) -> NoiseFloor:
        """A/A check: measures the candidate under two labels in five fresh processes.

        The coefficient of variation is taken over all labels of all processes, of normalised latencies and of plain
        ones (those that the protocol gives where it does not normalise: medians over blocks, waiting left out).

        Raises:
            DeviceUnavailableError: the candidate cannot be measured.
        """
        from devices.counted_blocks import plain_ms
        from devices.statistics import spread_percent

        protocol = replace(protocol, profile_runs=0, normalise=True)
        results = [
            result
            for process in range(PROCESSES)
            for result in self._required(
                candidate, protocol, seed + process, labels="AB", nominal_reference_ms=nominal_reference_ms
            )
        ]
        plain = [plain_ms(result.blocks, protocol.quiet_percent) for result in results]
        floor = NoiseFloor(spread_percent([result.latency_ms for result in results]), spread_percent(plain), PROCESSES)
        _logger.info(
            "noise floor of %s: %.2f %% normalised, %.2f %% plain",
            self.name,
            floor.normalised_percent,
            floor.raw_percent,
        )
        return floor

    def _required(
        self,
        candidate: Candidate,
        protocol: MeasurementProtocol,
        seed: int,
        *,
        labels: str = "A",
        nominal_reference_ms: float = 1.0,
    ) -> list[Measurement]:
        """Measurements of one candidate, once per label, in one process; a failure is the device's."""
        twins = [replace(candidate, label=f"{candidate.label} ({label})") for label in labels]
        results: list[Measurement] = []
        for result in self.measure(twins, nominal_reference_ms=nominal_reference_ms, protocol=protocol, seed=seed):
            if isinstance(result, FailedMeasurement):
                raise DeviceUnavailableError(
                    f"device {self.name!r}",
                    seen=f"{result.label} failed: {result.reason}",
                    expected="a measurement",
                    remedy="measure another model, or reinstall the runtime",
                )
            results.append(result)
        return results
