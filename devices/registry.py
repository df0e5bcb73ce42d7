"""Devices by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foundation.registry import Registry

if TYPE_CHECKING:
    from devices.device import Device

DEVICES: Registry[Device] = Registry(
    kind="device",
    group="latseg.devices",
    base="devices.device:Device",
    builtin={
        "cpu": "devices.backends.ort.device:CpuDevice",
        "cuda": "devices.backends.cuda.device:CudaDevice",
        "mnn": "devices.backends.mnn.device:MnnDevice",
        "ncnn": "devices.backends.ncnn.device:NcnnDevice",
        "openvino": "devices.backends.ov.device:OpenVinoDevice",
        "simulated": "devices.backends.simulated.device:SimulatedDevice",
    },
)


def get_device(text: str, *, threads: int | None = None) -> Device:
    """The device that ``text`` names; no runtime is loaded.

    Args:
        text: ``NAME`` or ``NAME:KEY=VALUE,...``, such as ``cpu:threads=2`` or ``simulated:noise=0.05,seed=3``.
        threads: of the runtime, where the device has that option and ``text`` does not set it.

    Raises:
        UserError: no such device, or options that it does not have.
    """
    found, options = DEVICES.parse(text)
    known = found.Options.model_fields if hasattr(found, "Options") else ()
    if threads is not None and "threads" in known and "threads" not in options:
        found, options = DEVICES.parse(f"{text}{',' if ':' in text else ':'}threads={threads}")
    return found(**options)
