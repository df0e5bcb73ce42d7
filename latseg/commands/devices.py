"""``latseg devices``: the devices, available or with the reason why not."""

from __future__ import annotations

from dataclasses import asdict

import typer

from latseg.console import Console, table
from latseg.options import IgnoredSeedOption


def devices(context: typer.Context, seed: IgnoredSeedOption = 0) -> None:  # noqa: ARG001 - every command takes --seed
    """List the devices, and why one is not available."""
    from devices.doctor import diagnose

    console: Console = context.obj
    found = diagnose().devices
    console.emit(
        [asdict(device) for device in found],
        lambda: table(
            "Devices",
            ("device", "available", "runtime", "version", "reason"),
            [(d.name, d.available, d.runtime, d.version, d.reason) for d in found],
        ),
    )
