"""``latseg devices``: the devices, available or with the reason why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from devices.ssh.address import FORM
from latseg.console import Console, plain, table
from latseg.options import IgnoredSeedOption

if TYPE_CHECKING:
    from rich.console import RenderableType

    from devices.doctor import DeviceStatus

OTHER_MACHINES = f"On another machine: {plain(FORM)}"


def devices(context: typer.Context, seed: IgnoredSeedOption = 0) -> None:  # noqa: ARG001 - every command takes --seed
    """List the devices, and why one is not available."""
    from devices.doctor import diagnose

    console: Console = context.obj
    found = diagnose().devices
    console.emit([asdict(device) for device in found], lambda: [devices_table(found), OTHER_MACHINES])


def devices_table(found: Sequence[DeviceStatus]) -> RenderableType:
    """A row for each device."""
    rows = [(d.name, d.available, d.runtime, d.version, d.reason) for d in found]
    return table("Devices", ("device", "available", "runtime", "version", "reason"), rows)
