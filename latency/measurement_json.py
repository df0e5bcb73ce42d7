"""Measurements as JSON objects: the form in which the store keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from devices.device_info import DeviceInfo
from devices.measurement import Block, Measurement, OperatorTime


def measurement_to_json(measurement: Measurement) -> dict[str, Any]:
    """Every field, raw samples included."""
    return asdict(measurement)


def measurement_from_json(data: Mapping[str, Any]) -> Measurement:
    """Inverse of ``measurement_to_json``.

    Raises:
        KeyError, TypeError, ValueError: not such an object.
    """
    known = {name: value for name, value in data.items() if name in {field.name for field in fields(Measurement)}}
    return Measurement(
        **{
            **known,
            "device": device_info_from_json(data["device"]),
            "interval_ms": tuple(data["interval_ms"]),
            "blocks": tuple(Block(**block) for block in data["blocks"]),
            "operators": tuple(OperatorTime.from_json(row) for row in data["operators"]),
            "input_shapes": tuple(tuple(shape) for shape in data["input_shapes"]),
        }
    )


def device_info_from_json(data: Mapping[str, Any]) -> DeviceInfo:
    """Inverse of ``DeviceInfo.to_json``."""
    known = {field.name for field in fields(DeviceInfo)}
    return DeviceInfo(**{name: value for name, value in data.items() if name in known})
