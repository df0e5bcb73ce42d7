"""``latseg pretrain``: what the profiled devices teach of a new one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foundation.errors import UserError
from latseg.console import Console, plain, table
from latseg.options import SeedOption
from latseg.workspace import Workspace

if TYPE_CHECKING:
    from devices.device_info import DeviceInfo
    from latency.predictors.transfer.prior import SourceDevice
    from latency.sample import LatencySample


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
    from latency.predictors.transfer.prior import LEAST_NETS, Prior
    from latency.predictors.transfer.prior_folder import save_prior

    console: Console = context.obj
    own = Workspace(console.workspace)
    found = _sources([*([own] if own.has_store else []), *map(Workspace, more or ())], LEAST_NETS)
    devices = [device for _, device in found]
    rows = [_row(info, device) for info, device in found]
    if not devices:
        raise UserError(
            "source devices",
            seen=f"none with {LEAST_NETS} measured nets",
            expected="at least two profiled devices",
            remedy="run `latseg profile` for each of them",
        )
    console.remark(f"learning from {len(devices)} devices")
    folder = output or own.prior_folder()
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


def _sources(workspaces: Sequence[Workspace], least: int) -> list[tuple[DeviceInfo, SourceDevice]]:
    """Each device once, with what all workspaces measured of it; of a net in several of them the first counts.

    Times are brought to the first workspace's scale, its nominal time of the reference net.
    """
    from latency.operators.serialize import graph_digest
    from latency.predictors.transfer.prior import SourceDevice

    infos: dict[str, DeviceInfo] = {}
    nominal: dict[str, float] = {}
    samples: defaultdict[str, dict[str, LatencySample]] = defaultdict(dict)
    for workspace in workspaces:
        with workspace.known_store() as store:
            for info in store.devices():
                infos.setdefault(info.fingerprint, info)
                mine = store.nominal_reference_ms(info) or 1.0
                scale = nominal.setdefault(info.fingerprint, mine) / mine
                for sample in store.samples(info.fingerprint):
                    samples[info.fingerprint].setdefault(graph_digest(sample.graph), sample.scaled(scale))
    found = []
    for fingerprint, info in infos.items():
        its = list(samples[fingerprint].values())
        if sum(not sample.single_operator for sample in its) >= least:
            family = info.name if info.simulated else f"{info.runtime} on {info.hardware}"
            found.append((info, SourceDevice(fingerprint, family, its)))
    return found
