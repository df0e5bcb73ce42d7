"""Measures models and stores the results: what ``measure``, winners and exports have in common."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from devices.device import Candidate, Device
from devices.input_values import decode
from devices.measurement import FailedMeasurement, Measurement, NoiseFloor
from devices.model_limits import TensorTooLargeError
from devices.plausible import checked
from devices.protocol import MeasurementProtocol
from foundation.errors import UserError
from latency.noise_floor import adapt_protocol, noise_floor
from latency.nominal_time import reference_ms, refreshed_reference_ms
from latency.operators.from_onnx import from_onnx
from latency.operators.operator import OperatorGraph
from latency.repeatability import repeat_interval_ms
from latency.store import MeasurementStore

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Measured:
    """A measurement with the device's noise floor."""

    measurement: Measurement
    noise_floor: NoiseFloor

    @property
    def repeat_interval_ms(self) -> tuple[float, float]:
        """Interval in milliseconds that contains 95 % of repeated measurements."""
        return repeat_interval_ms(self.measurement, self.noise_floor)


def measure_one(
    device: Device,
    candidate: Candidate,
    store: MeasurementStore,
    *,
    protocol: MeasurementProtocol | None = None,
    seed: int = 0,
    source: str = "user",
) -> Measured:
    """Measures one model and stores the result, success or failure.

    Where the machine has become quieter than it was at its nominal time of the reference net, that is taken again, and
    the result is on the new scale: a certificate is measured on the scale of the machine as it is.

    Raises:
        DeviceUnavailableError: the device cannot be used here.
        UserError: the model cannot be measured on it; the reason is the runtime's.
    """
    (measured,) = measure_together(device, [candidate], store, protocol=protocol, seed=seed, source=source)
    nominal_ms = refreshed_reference_ms(device, store, [measured])
    floor = noise_floor(device, store, candidate, protocol=protocol, seed=seed)
    return Measured(measured.on_scale(nominal_ms), floor)


def measure_together(
    device: Device,
    candidates: Sequence[Candidate],
    store: MeasurementStore,
    *,
    protocol: MeasurementProtocol | None = None,
    seed: int = 0,
    source: str = "user",
) -> list[Measurement]:
    """Measures models of different labels timed in turns, in their order; every result is stored.

    Raises:
        DeviceUnavailableError: the device cannot be used here.
        UserError: one of them cannot be measured on it; the reason is the runtime's.
    """
    results = measure_each(device, candidates, store, protocol=protocol, seed=seed, source=source)
    return [_measured(device, each, result) for each, result in zip(candidates, results, strict=True)]


def measure_each(
    device: Device,
    candidates: Sequence[Candidate],
    store: MeasurementStore,
    *,
    protocol: MeasurementProtocol | None = None,
    seed: int = 0,
    source: str = "user",
) -> list[Measurement | FailedMeasurement]:
    """Like ``measure_together`` with a failure as a result."""
    for candidate in candidates:
        device.check(candidate)
    adapted = adapt_protocol(protocol or MeasurementProtocol(), store.noise_floor(device.info()))
    nominal_ms = reference_ms(device, store)
    by_label: dict[str, Measurement | FailedMeasurement] = {}
    given = {candidate.label: candidate for candidate in candidates}
    for label in given:
        _logger.info("%s: measuring on %s", label, device.name)
    graphs = {label: _graph(device, candidate) for label, candidate in given.items()}
    for found in device.measure(candidates, nominal_reference_ms=nominal_ms, protocol=adapted, seed=seed):
        result = checked(found)
        by_label[result.label] = result
        _keep(result, graphs[result.label], store, source)
    return [by_label[candidate.label] for candidate in candidates]


def _graph(device: Device, candidate: Candidate) -> OperatorGraph | UserError:
    """The operator graph of a candidate, or why there is none.

    Raises:
        TensorTooLargeError: running it would need more memory than any net of use.
    """
    values = {name: decode(text) for name, text in candidate.input_values}
    try:
        return from_onnx(
            candidate.path,
            dict(candidate.input_shapes),
            values,
            listed_weights_are_inputs=device.listed_weights_are_inputs,
        )
    except TensorTooLargeError:
        raise
    except UserError as error:
        return error


def _measured(device: Device, candidate: Candidate, result: Measurement | FailedMeasurement) -> Measurement:
    if isinstance(result, Measurement):
        return result
    raise UserError(
        f"measuring {candidate.path} on {device.name}",
        seen=result.reason,
        expected="a model that the runtime can load and run",
        remedy="mend what the runtime names and export it again, or choose another --device",
    )


def _keep(
    result: Measurement | FailedMeasurement, graph: OperatorGraph | UserError, store: MeasurementStore, source: str
) -> None:
    if isinstance(result, FailedMeasurement):
        _logger.info("%s: failed on %s: %s", result.label, result.device.name, result.reason)
        store.add_failure(result, source=source)
        return
    _logger.debug("%s: %.3f ms, interval %s", result.label, result.latency_ms, result.interval_ms)
    if isinstance(graph, UserError):
        # A runtime runs models that an operator graph cannot describe (loops); no predictor can be fitted on them.
        _logger.warning("%s: not stored for fitting: %s", result.label, graph)
        return
    store.add_measurement(result, graph, source=source)
