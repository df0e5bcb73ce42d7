"""From the values of a row of the measurement store to what they mean; what is damaged is refused."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from functools import lru_cache

from pydantic import TypeAdapter

from devices.device_info import DeviceInfo
from devices.measurement import Measurement, NoiseFloor
from devices.plausible import impossible_times
from latency.operators.operator import OperatorGraph
from latency.operators.serialize import graph_from_json

_MEASUREMENT = TypeAdapter(Measurement)
_DEVICE = TypeAdapter(DeviceInfo)
_GRAPHS = 1024
"""Graphs that are kept: many measurements are of one net."""


@dataclass(frozen=True, slots=True)
class StoredMeasurement:
    """A measurement with the graph of the measured model and why it was taken."""

    measurement: Measurement
    graph: OperatorGraph
    source: str


@dataclass(frozen=True, slots=True)
class StoredFailure:
    """A model that could not be measured."""

    label: str
    source: str
    reason: str


def stored_of(
    fingerprint: str, label: str, source: str, graph_key: str, latency_ms: float, text: str, graph: str | None
) -> StoredMeasurement:
    """A row of ``measurements`` and the text of its graph.

    Raises:
        ValueError: damaged.
        UserError: the graph is.
    """
    measurement = measurement_of(fingerprint, label, source, graph_key, latency_ms, text)
    if graph is None:
        raise ValueError("its operator graph is missing")
    return StoredMeasurement(measurement, graph_of(graph_key, graph), source)


def measurement_of(
    fingerprint: str, label: str, _source: str, _graph_key: str, latency_ms: float, text: str
) -> Measurement:
    """A row of ``measurements``.

    Raises:
        ValueError: damaged.
    """
    measurement = _MEASUREMENT.validate_json(text)
    fault = impossible_times(measurement)
    if fault:
        raise ValueError(fault)
    said = (measurement.device.fingerprint, measurement.label, measurement.latency_ms)
    if said != (fingerprint, label, latency_ms):
        raise ValueError("the measurement is of another device, label or latency than the row")
    return measurement


@lru_cache(_GRAPHS)
def graph_of(key: str, text: str) -> OperatorGraph:
    """A row of ``graphs``.

    Raises:
        ValueError: damaged.
        UserError: not an operator graph.
    """
    if hashlib.sha256(text.encode()).hexdigest() != key:
        raise ValueError("the operator graph is not the one that was written")
    return graph_from_json(json.loads(text))


def device_of(fingerprint: str, info: str) -> DeviceInfo:
    """A row of ``devices``.

    Raises:
        ValueError: damaged.
    """
    device = _DEVICE.validate_json(info)
    if device.fingerprint != fingerprint:
        raise ValueError(f"device {fingerprint} is described as one of fingerprint {device.fingerprint}")
    return device


def device_row_of(*values: str | float) -> tuple[str, str]:
    """The row of ``devices`` to which a row of ``measurements`` refers; the arguments are those of ``measurement_of``.

    Raises:
        ValueError: damaged.
    """
    device = measurement_of(*values).device  # type: ignore[arg-type]
    return device.fingerprint, device_text(device)


def device_text(device: DeviceInfo) -> str:
    """The description of a device in its row."""
    return json.dumps(device.to_json(), separators=(",", ":"))


def failure_of(_fingerprint: str, label: str, source: str, _sha256: str, reason: str, _started: str) -> StoredFailure:
    """A row of ``failures``."""
    return StoredFailure(str(label), str(source), str(reason))


def nominal_ms_of(_fingerprint: str, nominal_ms: float) -> float:
    """A row of ``reference_times``.

    Raises:
        ValueError: damaged.
    """
    if not 0 < nominal_ms < math.inf:
        raise ValueError(f"a reference time of {nominal_ms} ms")
    return float(nominal_ms)


def noise_floor_of(_fingerprint: str, normalised_percent: float, raw_percent: float, repeats: int) -> NoiseFloor:
    """A row of ``noise_floors``.

    Raises:
        ValueError: damaged.
    """
    if not (0 <= normalised_percent < math.inf and 0 <= raw_percent < math.inf):
        raise ValueError(f"a noise floor of {normalised_percent} % and {raw_percent} %")
    return NoiseFloor(float(normalised_percent), float(raw_percent), int(repeats))
