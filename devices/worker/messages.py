"""What parent and worker say to each other: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from devices.model_inputs import ModelInput
from devices.worker.session import OperatorProfile
from devices.worker.timing import Timing

Message = dict[str, Any]
_INPUT = TypeAdapter(ModelInput)
_TIMING = TypeAdapter(Timing)
_PROFILE = TypeAdapter(OperatorProfile)


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
    return _INPUT.validate_python(values)


def timing_from_json(values: Mapping[str, Any]) -> Timing:
    """The inverse of ``asdict``."""
    return _TIMING.validate_python(values)


def profile_from_json(values: Mapping[str, Any]) -> OperatorProfile:
    """The inverse of ``asdict``."""
    return _PROFILE.validate_python(values)
