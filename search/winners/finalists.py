"""Candidate winners: exported, measured, and held against the certificate's rule. Importing this module loads torch."""

from __future__ import annotations

from dataclasses import dataclass

from devices.device import Candidate
from devices.measurement import FailedMeasurement, Measurement
from devices.model_file import sha256_of
from export.bundle.certificate import Certificate, certify
from export.to_onnx import export_module
from latency.measuring import measure_each
from latency.noise_floor import noise_floor
from search.architecture import Architecture
from search.evaluators.evaluator import Evaluator
from search.run_context import RunContext


@dataclass(frozen=True, slots=True)
class Finalists:
    """Measures architectures, and decides whether a measurement certifies them."""

    context: RunContext
    evaluator: Evaluator

    def measure(self, architecture: Architecture) -> dict[str, Measurement | FailedMeasurement]:
        """Exports the net and measures it on each device; every result is kept in the store.

        A net that a target of ``--portable`` does not run as a whole is not measured.
        """
        context = self.context
        task, path = context.task, context.folder.candidate(architecture.id)
        weights = self.evaluator.weights(architecture)
        module = task.build(architecture) if weights is None else weights
        export_module(module, path, task.example_inputs(architecture))
        candidate = Candidate(architecture.id, path)
        if faults := [fault for each in context.portable if (fault := each.fault(path))]:
            sha256 = sha256_of(path)
            return {
                name: FailedMeasurement(architecture.id, sha256, device.info(), "; ".join(faults))
                for name, device in context.devices.items()
            }
        return {
            name: measure_each(device, [candidate], context.store, seed=context.config.seed, source="winner")[0]
            for name, device in context.devices.items()
        }

    def holds(self, measurement: Measurement, budget_ms: float, device: str) -> bool:
        """The certificate's rule, with the device's noise floor."""
        context = self.context
        candidate = Candidate(measurement.label, context.folder.candidate(measurement.label))
        floor = noise_floor(context.devices[device], context.store, candidate, seed=context.config.seed)
        decision = certify(measurement, budget_ms=budget_ms, noise_floor_percent=floor.normalised_percent)
        return isinstance(decision, Certificate)
