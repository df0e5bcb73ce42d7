"""Devices and compiled targets by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from devices.ssh.address import SCHEME, SshAddress
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
        "android": "devices.backends.android.device:AndroidDevice",
        "cluster": "devices.cluster.device:ClusterDevice",
        "cuda": "devices.backends.cuda.device:CudaDevice",
        "executorch": "devices.backends.executorch.device:ExecuTorchDevice",
        "litert": "devices.backends.litert.device:LiteRtDevice",
        "mnn": "devices.backends.mnn.device:MnnDevice",
        "ncnn": "devices.backends.ncnn.device:NcnnDevice",
        "openvino": "devices.backends.ov.device:OpenVinoDevice",
        "openvino-bf16": "devices.backends.ov.device:OpenVinoBf16Device",
        "page": "devices.backends.web.page_device:PageDevice",
        "pool": "devices.backends.pool.device:PoolDevice",
        "simulated": "devices.backends.simulated.device:SimulatedDevice",
        "web": "devices.backends.web.device:WebDevice",
        "web-litert": "devices.backends.web_litert.device:WebLiteRtDevice",
    },
)


COMPILED_TARGETS: Registry[CompiledTarget] = Registry(
    kind="compiled target",
    group="latseg.compiled_targets",
    base="devices.compiled_target:CompiledTarget",
    builtin={
        "coreml": "devices.backends.coreml.target:CoreMlTarget",
        "qnn": "devices.backends.qnn.target:QnnTarget",
        "tensorrt-rtx": "devices.backends.tensorrt_rtx.target:TensorRtRtxTarget",
    },
)


_ELSEWHERE = frozenset({"android", "cluster", "page", "pool"})
"""Devices that may be on other machines: a phone, a cluster, a browser, what a file names."""


def get_device(text: str, *, threads: int | None = None) -> Device:
    """The device that ``text`` names; no runtime is loaded, and no other machine is asked.

    Args:
        text: ``NAME`` or ``NAME:KEY=VALUE,...``, such as ``cpu:threads=2`` or ``simulated:noise=0.05,seed=3``;
            ``ssh://[USER@]HOST[:PORT]/`` before it names another machine.
        threads: of the runtime, where the device has that option and ``text`` does not set it.

    Raises:
        UserError: no such device, or options that it does not have; a compiled target, on which nothing is measured.
    """
    if not text.startswith(SCHEME):
        found, options = _parsed(text, threads)
        return found(**options)
    from devices.ssh.device import device_on

    address, name = SshAddress.parse(text)
    found, options = _parsed(name, threads)
    return device_on(address, found)(**options)


def get_device_here(text: str, *, threads: int | None = None) -> Device:
    """As ``get_device`` for a name that somebody else wrote, for instance into a bundle: of this machine only.

    Raises:
        UserError: as ``get_device``, or a device that is, or may be, of another machine.
    """
    if text.startswith(SCHEME) or _name(text) in _ELSEWHERE:
        raise UserError(
            f"device {text!r}", seen="a device of another machine, named in a file", expected="one of this machine",
            remedy=f"use it only if you trust the file: --device {text}",
        )  # fmt: skip
    return get_device(text, threads=threads)


def _parsed(text: str, threads: int | None) -> tuple[type[Device], dict[str, Any]]:
    if (name := _name(text)) in COMPILED_TARGETS.names:
        raise UserError(
            f"device {text!r}",
            seen="a compiled target: nothing runs on its hardware here, so nothing is measured and certified",
            expected=f"one of {', '.join(DEVICES.names)}",
            remedy=f"use `latseg check MODEL.onnx --device {name}` or `latseg search --portable {name}`",
        )
    found, options = DEVICES.parse(text)
    known = found.Options.model_fields if hasattr(found, "Options") else ()
    if threads is not None and "threads" in known and "threads" not in options:
        return DEVICES.parse(f"{text}{',' if ':' in text else ':'}threads={threads}")
    return found, options


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
