"""From the values of a row of the trial store to what they mean; what is damaged is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from sys import intern
from typing import Any

from foundation.row_checksum import Value
from search.architecture import Architecture, id_of
from search.known_prediction import KnownPrediction
from search.trial import DeviceResult, Trial


def trial_of(
    trial_id: str,
    architecture: str,
    generation: int,
    parameters: int,
    flops: int,
    predicted_ms: str,
    upper_ms: str,
    quality: float,
    seconds: float,
    created: str,
) -> Trial:
    """A row of ``trials``.

    Raises:
        ValueError, TypeError, AttributeError, OverflowError: damaged.
        UserError: the architecture is.
    """
    trial = Trial(
        architecture=Architecture.from_json(architecture),
        generation=int(generation),
        parameters=int(parameters),
        flops=int(flops),
        predicted_ms=_milliseconds(predicted_ms),
        upper_ms=_milliseconds(upper_ms),
        quality=_finite(quality),
        seconds=_finite(seconds),
        created=str(created),
    )
    if id_of(architecture) != trial_id and trial.id != trial_id:  # the former is fast
        raise ValueError(f"its architecture is not {trial_id}")
    if min(trial.generation, trial.parameters, trial.flops) < 0:
        raise ValueError("a negative generation or number of parameters or operations")
    return trial


def row_of(trial: Trial) -> dict[str, Value]:
    """A trial as a row of ``trials``."""
    return {
        "id": trial.id,
        "architecture": trial.architecture.to_json(),
        "generation": trial.generation,
        "parameters": trial.parameters,
        "flops": trial.flops,
        "predicted_ms": json.dumps(dict(trial.predicted_ms)),
        "upper_ms": json.dumps(dict(trial.upper_ms)),
        "quality": trial.quality,
        "seconds": trial.seconds,
        "created": trial.created,
    }


def named_trial_of(trial_id: str, *values: Any) -> tuple[str, Trial]:
    """Like ``trial_of``, with the id, which takes long to compute again."""
    return trial_id, trial_of(trial_id, *values)


def result_of(
    trial: str,
    device: str,
    measured_ms: float | None,
    low_ms: float | None,
    high_ms: float | None,
    holds: int,
    simulated: int,
    reason: str,
    _created: str,
) -> tuple[str, DeviceResult]:
    """A row of ``findings``: the id of its trial, and the result.

    Raises:
        ValueError, TypeError: damaged.
    """
    measured, low, high = (None if ms is None else _finite(ms) for ms in (measured_ms, low_ms, high_ms))
    interval_ms = None if low is None or high is None else (low, high)
    return str(trial), DeviceResult(str(device), measured, interval_ms, bool(holds), bool(simulated), str(reason))


def prediction_of(
    trial: str, device: str, predictor: str, latency_ms: float, widening_ms: float
) -> tuple[str, str, KnownPrediction]:
    """A row of ``predictions``: the id of its trial, the device, and the prediction.

    Raises:
        ValueError, TypeError: damaged.
    """
    prediction = KnownPrediction(intern(predictor), _finite(latency_ms), _finite(widening_ms))
    if min(prediction.latency_ms, prediction.widening_ms) < 0:
        raise ValueError("a negative latency")
    return str(trial), intern(device), prediction


def exhaustion_of(stop: int, trials: int) -> tuple[int, int]:
    """A row of ``exhaustions``.

    Raises:
        ValueError, TypeError: damaged.
    """
    if not 0 <= int(trials) < int(stop):
        raise ValueError(f"{trials} trials where {stop} were wanted")
    return int(stop), int(trials)


def count_of(name: str, number: int) -> tuple[str, int]:
    """A name and how often it occurs."""
    return str(name), int(number)


def identity_of(key: str, value: str) -> tuple[str, str]:
    """A row of ``identity``.

    Raises:
        ValueError: damaged.
    """
    if not isinstance(key, str) or not isinstance(value, str):
        raise ValueError("no text")
    return key, value


def check_rejection(generation: int, architecture: str, violated: str, repaired: int) -> None:
    """A row of ``rejections``.

    Raises:
        ValueError, TypeError: damaged.
    """
    if not isinstance(architecture, str) or not isinstance(violated, str):
        raise ValueError("no text")
    if int(generation) < 0 or int(repaired) not in (0, 1):
        raise ValueError(f"generation {generation}, repaired {repaired}")


def _milliseconds(text: str) -> Mapping[str, float]:
    values: dict[str, float] = json.loads(text)
    return {str(device): _finite(value) for device, value in values.items()}


def _finite(value: float) -> float:
    if isinstance(value, str) or not math.isfinite(value):
        raise ValueError(f"the number {value!r} is not finite")
    return float(value)
