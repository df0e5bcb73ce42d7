"""Devices and compiled targets by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foundation.errors import UserError
from foundation.registry import Registry

if TYPE_CHECKING:
    from devices.compiled_target import CompiledTarget
    from devices.device import Device
    from devices.target import Target

DEVICES: Registry[Device] = Registry(
    kind="device",
    group="latseg.devices",
    base="devices.device:Device",
    builtin={
        "cpu": "devices.backends.ort.device:CpuDevice",
        "cuda": "devices.backends.cuda.device:CudaDevice",
        "executorch": "devices.backends.executorch.device:ExecuTorchDevice",
        "litert": "devices.backends.litert.device:LiteRtDevice",
        "mnn": "devices.backends.mnn.device:MnnDevice",
        "ncnn": "devices.backends.ncnn.device:NcnnDevice",
        "openvino": "devices.backends.ov.device:OpenVinoDevice",
        "simulated": "devices.backends.simulated.device:SimulatedDevice",
    },
)


COMPILED_TARGETS: Registry[CompiledTarget] = Registry(
    kind="compiled target",
    group="latseg.compiled_targets",
    base="devices.compiled_target:CompiledTarget",
    builtin={},
)


def get_device(text: str, *, threads: int | None = None) -> Device:
    """The device that ``text`` names; no runtime is loaded.

    Args:
        text: ``NAME`` or ``NAME:KEY=VALUE,...``, such as ``cpu:threads=2`` or ``simulated:noise=0.05,seed=3``.
        threads: of the runtime, where the device has that option and ``text`` does not set it.

    Raises:
        UserError: no such device, or options that it does not have; a compiled target, on which nothing is measured.
    """
    if (name := _name(text)) in COMPILED_TARGETS.names:
        raise UserError(
            f"device {text!r}",
            seen="a compiled target: nothing runs on its hardware here, so nothing is measured and certified",
            expected=f"one of {', '.join(DEVICES.names)}",
            remedy=f"ask its compiler with `latseg check MODEL.onnx --device {name}`",
        )
    found, options = DEVICES.parse(text)
    known = found.Options.model_fields if hasattr(found, "Options") else ()
    if threads is not None and "threads" in known and "threads" not in options:
        found, options = DEVICES.parse(f"{text}{',' if ':' in text else ':'}threads={threads}")
    return found(**options)


def get_target(text: str, *, threads: int | None = None) -> Target:
    """The compiled target that ``text`` names, or the device as ``get_device`` finds it.

    Raises:
        UserError: no such target, or options that it does not have.
    """
    if _name(text) not in COMPILED_TARGETS.names:
        return get_device(text, threads=threads)
    found, options = COMPILED_TARGETS.parse(text)
    return found(**options)


def _name(text: str) -> str:
    return text.partition(":")[0]
