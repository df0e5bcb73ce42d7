"""The contract of a device: something that times an ONNX model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from devices.device_info import DeviceInfo
from devices.measurement import FailedMeasurement, Measurement, NoiseFloor
from devices.protocol import MeasurementProtocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model to be timed. ``input_shapes`` fixes dynamic dimensions by input name; empty where the model is static."""

    label: str
    path: Path
    input_shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a device can be used here; ``reason`` and ``remedy`` say why not and what to do."""

    available: bool
    reason: str = ""
    remedy: str = ""


class Device(ABC):
    """A target and how an ONNX model is timed on it.

    Constructing a device loads no runtime. Every implementation passes ``latseg/testing/device_contract.py``.
    """

    name: str

    @abstractmethod
    def availability(self) -> Availability:
        """Whether the device can be used on this machine. Never raises."""

    @abstractmethod
    def info(self) -> DeviceInfo:
        """Fingerprint and state of the device.

        Raises:
            DeviceUnavailableError: the device cannot be used here.
        """

    @abstractmethod
    def nominal_reference_ms(self) -> float:
        """Time of one run of the reference net as it is usual for this device: a median over fresh processes.

        Costs seconds; the caller keeps the value beside the fingerprint and hands it to ``measure``.
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
        """Times the candidates as one interleaved group in a fresh process and yields one result each as it comes.

        A crash, hang or out-of-memory of the runtime yields ``FailedMeasurement`` for the candidate at fault; the
        others of the group are still measured.

        Raises:
            DeviceUnavailableError: the device cannot be used here.
            UserError: a file is missing or is not an ONNX model.
        """

    @abstractmethod
    def noise_floor(
        self,
        candidate: Candidate,
        *,
        nominal_reference_ms: float,
        protocol: MeasurementProtocol,
        seed: int = 0,
    ) -> NoiseFloor:
        """A/A check: the candidate under two labels, repeatedly."""

    @abstractmethod
    def infer(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
        """Runs the model once on this device's runtime; outputs in the model's order.

        For parity checks and for using a bundle, not for timing.

        Raises:
            DeviceUnavailableError: the device cannot be used here.
            UserError: a file is missing, is not an ONNX model, or holds an operator that the runtime does not support.
        """
