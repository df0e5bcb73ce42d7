"""``latseg verify``: hashes, parity and budget of a bundle, checked again."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from foundation.errors import UserError
from latseg.console import Console, table
from latseg.options import SeedOption

VERIFICATION_FAILED = 4


def certified_threads(bundle: Path, device: str) -> int:
    """Threads of the bundle's certificate for the device; one where it has none."""
    from export.bundle.manifest import ManifestError, read_manifest

    try:
        certificates = read_manifest(bundle).certificates
    except ManifestError:
        return 1
    return next((one.device.threads for one in certificates if one.device.name == device), 1)


def verify(
    context: typer.Context,
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder that `latseg export` wrote.")],
    device: Annotated[str | None, typer.Option("--device", "-d", help="Measure here; default: as certified.")] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of the runtime, with --device; default: as certified.")
    ] = None,
    measure: Annotated[bool, typer.Option("--measure/--no-measure", help="Measure the budget again.")] = True,
    seed: SeedOption = 0,
) -> None:
    """Check a bundle again; exit code 4 if anything fails."""
    from devices.registry import get_device
    from export.bundle.verify import verify_bundle

    console: Console = context.obj
    if threads is not None and device is None:
        remedy = "name the device, too: --device cpu"
        raise UserError("--threads", seen=f"{threads} without --device", expected="a device to use them", remedy=remedy)
    target = get_device(device, threads=threads or certified_threads(bundle, device)) if device else None
    result = verify_bundle(
        bundle,
        device=target,
        measure=measure,
        seed=seed,
        on_check=lambda check: console.remark(f"checked {check.name}"),
    )
    document = {"ok": result.ok, "checks": [asdict(check) for check in result.checks]}
    console.emit(
        document,
        lambda: [
            table("", ("check", "ok", "detail"), [(c.name, c.ok, c.detail) for c in result.checks]),
            "[bold green]The bundle keeps its promise.[/]" if result.ok else "[bold red]The bundle does NOT hold.[/]",
        ],
    )
    if not result.ok:
        raise typer.Exit(VERIFICATION_FAILED)
