"""Learns from the profiled devices of several workspaces what a new device has in common with them."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundation.errors import UserError
from latseg.table import Table
from latseg.workspace_folder import WorkspaceFolder

if TYPE_CHECKING:
    from devices.device_info import DeviceInfo
    from latency.predictors.transfer.prior import SourceDevice
    from latency.sample import LatencySample

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PretrainedPrior:
    """The devices that the prior was learned from, and its folder."""

    devices: Table
    """One row for each: device, threads, family, nets."""
    path: Path

    def to_json(self) -> dict[str, Any]:
        """The document of ``latseg pretrain --json``."""
        return {"devices": list(self.devices), "path": str(self.path)}


def pretrain(own: WorkspaceFolder, others: Sequence[WorkspaceFolder], output: Path, seed: int) -> PretrainedPrior:
    """Learns the prior and saves it.

    Raises:
        UserError: fewer than two families of devices with enough measured nets.
    """
    from latency.predictors.transfer.prior import MIN_NETS, Prior
    from latency.predictors.transfer.prior_folder import save_prior

    found = source_devices([*([own] if own.has_store else []), *others], MIN_NETS)
    if not found:
        raise UserError(
            "source devices",
            seen=f"none with {MIN_NETS} measured nets",
            expected="at least two profiled devices",
            remedy="run `latseg profile` for each of them",
        )
    rows = [_row(info, device) for info, device in found]
    _logger.info("learning from %d devices: %s", len(rows), ", ".join(str(row["device"]) for row in rows))
    save_prior(output, Prior.learn([device for _, device in found], seed=seed))
    return PretrainedPrior(Table(rows), output)


def source_devices(workspaces: Sequence[WorkspaceFolder], least: int) -> list[tuple[DeviceInfo, SourceDevice]]:
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


def _row(info: DeviceInfo, source: SourceDevice) -> dict[str, object]:
    nets = sum(not sample.single_operator for sample in source.samples)
    return {"device": info.name, "threads": info.threads, "family": source.family, "nets": nets}
