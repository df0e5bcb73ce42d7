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
    from devices.device_info import DeviceInfo
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
    rows: list[dict[str, object]] = []
    for root in (console.workspace, *(more or ())):
        with Workspace(root).store() as store:
            found = _sources(store, LEAST_NETS)
            rows += [_row(info, device) for info, device in found]
            devices += [device for _, device in found]
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
    document = {"devices": rows, "path": str(folder)}
    columns = ("device", "threads", "family", "nets")
    console.emit(
        document,
        lambda: [
            table("Source devices", columns, [[row[column] for column in columns] for row in rows]),
            f"Prior: {plain(folder)}; `latseg fit` uses it where a device has few measurements.",
        ],
    )


def _row(info: DeviceInfo, source: SourceDevice) -> dict[str, object]:
    nets = sum(not sample.single_operator for sample in source.samples)
    return {"device": info.name, "threads": info.threads, "family": source.family, "nets": nets}


def _sources(store: MeasurementStore, least: int) -> list[tuple[DeviceInfo, SourceDevice]]:
    from latency.predictors.prior import SourceDevice

    found = []
    for info in store.devices():
        samples = store.samples(info.fingerprint)
        if sum(not sample.single_operator for sample in samples) >= least:
            family = info.name if info.simulated else f"{info.runtime} on {info.hardware}"
            found.append((info, SourceDevice(info.fingerprint, family, samples)))
    return found
