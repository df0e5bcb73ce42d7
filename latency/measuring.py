"""Measures models and stores the results: what ``measure``, winners and exports have in common."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from devices.device import Candidate, Device
from devices.input_values import decode
from devices.measurement import FailedMeasurement, Measurement, NoiseFloor
from devices.model_limits import TensorTooLargeError
from devices.plausible import checked
from devices.protocol import MeasurementProtocol
from foundation.errors import DeviceUnavailableError, UserError
from latency.nominal_time import reference_ms, refreshed_reference_ms
from latency.operators.from_onnx import from_onnx
from latency.operators.operator import OperatorGraph
from latency.repeatability import repeat_interval_ms
from latency.store import MeasurementStore

_logger = logging.getLogger(__name__)

_SIGNIFICANT_RATIO = 1.8
"""Two spreads of ten measurements each differ by chance by less than this (F-test, 9 and 9 degrees, 5 %: 3.18^0.5)."""


def noise_floor(
    device: Device,
    store: MeasurementStore,
    candidate: Candidate,
    *,
    protocol: MeasurementProtocol | None = None,
    seed: int = 0,
) -> NoiseFloor:
    """The device's A/A check: the stored one, else taken now on ``candidate`` and stored.

    Raises:
        DeviceUnavailableError: the candidate cannot be measured, or the clock shows no times.
    """
    info = device.info()
    known = store.noise_floor(info)
    if known is None:
        _logger.info("A/A check on %s with %s", device.name, candidate.label)
        nominal_ms = reference_ms(device, store)
        known = device.noise_floor(
            candidate, nominal_reference_ms=nominal_ms, protocol=protocol or MeasurementProtocol(), seed=seed
        )
        for percent in (known.normalised_percent, known.raw_percent):
            if not math.isfinite(percent):
                raise DeviceUnavailableError(
                    f"device {device.name!r}", seen=f"a noise floor of {percent} %", expected="a finite one",
                    remedy="check the clock of the runtime, or choose another device",
                )  # fmt: skip
        store.remember_noise_floor(info, known)
    return known


def adapt_protocol(protocol: MeasurementProtocol, noise_floor: NoiseFloor | None) -> MeasurementProtocol:
    """The protocol, without normalisation where the A/A check showed that normalisation increases the spread.

    On a quiet machine both spreads are small and either may be the smaller one by chance; normalisation is kept there,
    since the machine need not stay quiet.
    """
    if noise_floor is None or noise_floor.normalised_percent <= _SIGNIFICANT_RATIO * noise_floor.raw_percent:
        return protocol
    _logger.info("normalisation is off: the A/A check found %s", noise_floor)
    return replace(protocol, normalise=False)


@dataclass(frozen=True, slots=True)
class Measured:
    """A measurement with the device's noise floor."""

    measurement: Measurement
    noise_floor: NoiseFloor

    @property
    def interval_ms(self) -> tuple[float, float]:
        """In which 95 % of repeated measurements lie."""
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

    Raises:
        DeviceUnavailableError: the device cannot be used here.
        UserError: the model cannot be measured on it; the reason is the runtime's.
    """
    (measured,) = measure_together(device, [candidate], store, protocol=protocol, seed=seed, source=source)
    return Measured(measured, noise_floor(device, store, candidate, protocol=protocol, seed=seed))


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
    measured = [result for result in by_label.values() if isinstance(result, Measurement)]
    nominal_ms = refreshed_reference_ms(device, store, measured)
    by_label |= {result.label: result.on_scale(nominal_ms) for result in measured}
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
