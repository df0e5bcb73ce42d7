"""``latseg pretrain``: what the profiled devices teach of a new one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from devices.errors import UserError
from latseg.console import Console, plain, table
from latseg.options import SeedOption
from latseg.workspace import Workspace

if TYPE_CHECKING:
    from latency.predictors.prior import SourceDevice
    from latency.store import MeasurementStore


def pretrain(
    context: typer.Context,
    more: Annotated[
        list[Path] | None,
        typer.Option("--workspace-of", metavar="DIR", help="Another workspace with measurements; may be repeated."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the prior; default: the workspace's.")
    ] = None,
    seed: SeedOption = 0,
) -> None:
    """Learn from profiled devices how devices differ, so that a new one needs ten to twenty measured nets."""
    from latency.predictors.prior import LEAST_NETS, Prior
    from latency.predictors.prior_folder import save_prior

    console: Console = context.obj
    devices: list[SourceDevice] = []
    for root in (console.workspace, *(more or ())):
        with Workspace(root).store() as store:
            devices += _sources(store, LEAST_NETS)
    if not devices:
        raise UserError(
            "source devices",
            seen=f"none with {LEAST_NETS} measured nets",
            expected="at least two profiled devices",
            remedy="run `latseg profile` for each of them",
        )
    console.remark(f"learning from {len(devices)} devices")
    folder = output or Workspace(console.workspace).prior_folder()
    save_prior(folder, Prior.learn(devices, seed=seed))
    rows = [
        {"device": device.name, "family": device.family, "nets": sum(not one.single_operator for one in device.samples)}
        for device in devices
    ]
    document = {"devices": rows, "path": str(folder)}
    columns = ("device", "family", "nets")
    console.emit(
        document,
        lambda: [
            table("Source devices", columns, [[row[column] for column in columns] for row in rows]),
            f"Prior: {plain(folder)}; `latseg fit` uses it where a device has few measurements.",
        ],
    )


def _sources(store: MeasurementStore, least: int) -> list[SourceDevice]:
    from latency.predictors.prior import SourceDevice

    found = []
    for info in store.devices():
        samples = store.samples(info.fingerprint)
        if sum(not sample.single_operator for sample in samples) >= least:
            name = f"{info.name}, {info.threads} threads, {info.fingerprint}"
            family = info.name if info.simulated else f"{info.runtime} on {info.hardware}"
            found.append(SourceDevice(name, family, samples))
    return found
