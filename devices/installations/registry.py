"""Installations by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foundation.registry import Registry

if TYPE_CHECKING:
    from devices.installations.installation import Installation

INSTALLATIONS: Registry[Installation] = Registry(
    kind="installation",
    group="latseg.installations",
    base="devices.installations.installation:Installation",
    builtin={
        "aarch64": "devices.backends.aarch64.installation:Aarch64Userland",
        "coreml": "devices.backends.coreml.installation:CoreMlInstallation",
        "executorch": "devices.backends.executorch.installation:ExecuTorchEnvironment",
        "qnn": "devices.backends.qnn.installation:QnnInstallation",
        "tensorrt-rtx": "devices.backends.tensorrt_rtx.installation:TensorRtRtxInstallation",
        "web": "devices.backends.web.installation:WebPackages",
        "web-litert": "devices.backends.web_litert.installation:LiteRtJs",
        "litert": "devices.backends.litert.installation:LiteRtConverter",
    },
)
