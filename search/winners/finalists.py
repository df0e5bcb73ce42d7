"""Exports candidate winners and measures them on every device of the budgets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from devices.device import Candidate, Device
from devices.measurement import FailedMeasurement, Measurement
from export.bundle.certificate import Certificate, certify
from latency.measuring import measure_or_fail, noise_floor
from latency.store import MeasurementStore
from search.architecture import Architecture
from search.run_folder import RunFolder
from search.spaces.space import SearchSpace
from segmentation.normalisation import MEAN, STD

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Finalists:
    """Turns an architecture into measurements, and measurements into a verdict."""

    folder: RunFolder
    space: SearchSpace
    network: Callable[[Architecture], nn.Module]
    """The architecture's net; its weights do not matter for its latency."""
    devices: Mapping[str, Device]
    """By the name of the budget."""
    store: MeasurementStore
    seed: int = 0

    def measure(self, architecture: Architecture) -> dict[str, Measurement | FailedMeasurement]:
        """Exports the net and measures it on each device; every result is kept in the store."""
        from export.to_onnx import export_onnx

        height, width = self.space.input_size(architecture)
        path = self.folder.candidate(architecture.id)
        path.parent.mkdir(parents=True, exist_ok=True)
        export_onnx(self.network(architecture), path, height=height, width=width, mean=MEAN, std=STD)
        candidate = Candidate(architecture.id, path)
        return {
            name: measure_or_fail(device, candidate, self.store, seed=self.seed, source="winner")
            for name, device in self.devices.items()
        }

    def holds(self, measurement: Measurement, budget_ms: float, device: str) -> bool:
        """The certificate's rule, with the device's noise floor."""
        path = self.folder.candidate(measurement.label)
        floor = noise_floor(self.devices[device], self.store, Candidate(measurement.label, path), seed=self.seed)
        judged = certify(measurement, budget_ms=budget_ms, noise_floor_percent=floor.normalised_percent)
        return isinstance(judged, Certificate)
