"""``latseg doctor``: what can be measured here, each warning with its fix."""

from __future__ import annotations

from dataclasses import asdict

import typer

from latseg.commands.devices import devices_table
from latseg.console import Console, table
from latseg.options import IgnoredSeedOption


def doctor(context: typer.Context, seed: IgnoredSeedOption = 0) -> None:  # noqa: ARG001 - every command takes --seed
    """Show what can be measured on this machine, and what would disturb a measurement."""
    from devices.doctor import diagnose

    console: Console = context.obj
    found = diagnose()
    document = {
        "devices": [asdict(device) for device in found.devices],
        "warnings": [asdict(warning) for warning in found.warnings],
    }
    console.emit(
        document,
        lambda: [
            devices_table(found.devices),
            table("Warnings", ("what", "how to fix it"), [(w.what, w.fix) for w in found.warnings])
            if found.warnings
            else "No warnings.",
        ],
    )
