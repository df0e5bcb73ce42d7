"""Candidate winners: exported, measured, and held against the certificate's rule. Importing this module loads torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from devices.device import Candidate, Device
from devices.measurement import FailedMeasurement, Measurement
from export.bundle.certificate import Certificate, certify
from export.to_onnx import export_module
from latency.measuring import measure_each, noise_floor
from latency.store import MeasurementStore
from search.architecture import Architecture
from search.evaluators.evaluator import Evaluator
from search.run_folder import RunFolder
from search.tasks.task import Task


@dataclass(frozen=True, slots=True)
class Finalists:
    """Measures architectures, and decides whether a measurement certifies them."""

    folder: RunFolder
    task: Task
    evaluator: Evaluator
    devices: Mapping[str, Device]
    """By the name of the budget."""
    store: MeasurementStore
    seed: int = 0

    def measure(self, architecture: Architecture) -> dict[str, Measurement | FailedMeasurement]:
        """Exports the net and measures it on each device; every result is kept in the store."""
        path = self.folder.candidate(architecture.id)
        weights = self.evaluator.weights(architecture)
        module = self.task.build(architecture) if weights is None else weights
        export_module(module, path, self.task.example_inputs(architecture))
        candidate = Candidate(architecture.id, path)
        return {
            name: measure_each(device, [candidate], self.store, seed=self.seed, source="winner")[0]
            for name, device in self.devices.items()
        }

    def holds(self, measurement: Measurement, budget_ms: float, device: str) -> bool:
        """The certificate's rule, with the device's noise floor."""
        path = self.folder.candidate(measurement.label)
        floor = noise_floor(self.devices[device], self.store, Candidate(measurement.label, path), seed=self.seed)
        decision = certify(measurement, budget_ms=budget_ms, noise_floor_percent=floor.normalised_percent)
        return isinstance(decision, Certificate)
