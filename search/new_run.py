"""Writes down what a new run is asked to do."""

from __future__ import annotations

import platform
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version

from devices.device import Device
from search.run_config import RunConfig, TargetDevice, TrainingOptions

_PACKAGES = ("latseg", "torch", "onnx", "onnxruntime", "numpy")


def new_run_id() -> str:
    """Sortable by time, and unique: ``20261124-061502-3fa9``."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def resolve(
    run: str,
    *,
    command: str,
    space: str,
    sizes: tuple[tuple[int, int], ...] | None,
    data: str,
    data_size: tuple[int, int],
    data_count: int | None,
    resize_masks: bool,
    classes: tuple[str, ...],
    limits: Mapping[str, float],
    devices: Mapping[str, Device],
    max_parameters: int,
    trials: int,
    winners: int,
    strategy: str,
    near_budget: int,
    seed: int,
    effort: TrainingOptions,
) -> RunConfig:
    """The run's configuration with the devices' fingerprints and the versions of what it runs on.

    ``limits`` are latency budgets in milliseconds by device name; ``devices`` has the same keys.
    """
    return RunConfig.model_validate(
        {
            "run": run,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": command,
            "space": space,
            "sizes": sizes,
            "data": data,
            "data_size": data_size,
            "data_count": data_count,
            "resize_masks": resize_masks,
            "data_test": True,
            "classes": classes,
            "targets": tuple(_target(name, maximum_ms, devices[name]) for name, maximum_ms in limits.items()),
            "max_parameters": max_parameters,
            "trials": trials,
            "winners": winners,
            "strategy": strategy,
            "near_budget": near_budget,
            "seed": seed,
            "effort": effort,
            "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
        }
    )


def _target(name: str, maximum_ms: float, device: Device) -> TargetDevice:
    info = device.info()
    return TargetDevice(
        device=name,
        threads=info.threads,
        maximum_ms=maximum_ms,
        fingerprint=info.fingerprint,
        hardware=info.hardware,
        runtime=info.runtime,
        runtime_version=info.runtime_version,
        simulated=info.simulated,
    )
