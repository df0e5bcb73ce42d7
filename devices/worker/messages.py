"""What parent and worker say to each other: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from devices.measurement import Block, OperatorTime
from devices.model_inputs import ModelInput
from devices.worker.session import OperatorProfile
from devices.worker.timing import Timing

Message = dict[str, Any]


def encode(message: Mapping[str, Any]) -> bytes:
    """One line."""
    return json.dumps(message).encode() + b"\n"


def decode(line: bytes) -> Message:
    """The inverse of ``encode``."""
    message = json.loads(line)
    if not isinstance(message, dict):
        raise TypeError(f"a message is an object, not {type(message).__name__}")
    return message


def input_from_json(values: Mapping[str, Any]) -> ModelInput:
    """The inverse of ``asdict``."""
    return ModelInput(values["name"], tuple(values["shape"]), values["dtype"])


def timing_to_json(timing: Timing) -> Message:
    """Plain JSON object."""
    return asdict(timing)


def timing_from_json(values: Mapping[str, Any]) -> Timing:
    """The inverse of ``timing_to_json``."""
    blocks = tuple(Block(**block) for block in values["blocks"])
    low, high = values["ratio_interval"]
    return Timing(**{**values, "blocks": blocks, "ratio_interval": (low, high)})


def profile_to_json(profile: OperatorProfile) -> Message:
    """Plain JSON object."""
    return asdict(profile)


def profile_from_json(values: Mapping[str, Any]) -> OperatorProfile:
    """The inverse of ``profile_to_json``."""
    rows = tuple(OperatorTime.from_json(row) for row in values["operators"])
    return OperatorProfile(values["source"], rows, values["peak_memory_bytes"])
