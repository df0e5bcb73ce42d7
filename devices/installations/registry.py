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
        "executorch": "devices.backends.executorch.installation:ExecuTorchEnvironment",
        "litert": "devices.backends.litert.installation:LiteRtConverter",
    },
)
