"""Opens runs of the workspace for the commands that work on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from foundation.errors import UserError
from latseg.console import Console, Progress
from latseg.workspace import Workspace
from search.run_config import RunConfig, read_config
from search.run_folder import RunFolder
from search.spaces.registry import open_space

if TYPE_CHECKING:
    from devices.device import Device
    from search.progress import Progress as SearchProgress
    from search.run_context import RunContext


def open_devices(config: RunConfig) -> dict[str, Device]:
    """The run's devices, which must still be what they were.

    Raises:
        UserError: a device has another fingerprint now.
        DeviceUnavailableError: it cannot be used here.
    """
    from devices.registry import get_device

    devices = {target.device: get_device(target.device, threads=target.threads) for target in config.targets}
    for target in config.targets:
        info = devices[target.device].info()
        if info.fingerprint != target.fingerprint:
            raise UserError(
                f"device {target.device} of run {config.run}",
                seen=f"{info.hardware}, {info.runtime} {info.runtime_version}, protocol {info.protocol_version}",
                expected=f"{target.hardware}, {target.runtime} {target.runtime_version}, timed as when the run began",
                remedy="go on where the run began, or start a new run here",
            )
    return devices


@contextmanager
def open_run_context(console: Console, run: str, description: str) -> Iterator[RunContext]:
    """The session of a run, with a progress bar."""
    from search.run_context import RunContext

    workspace = Workspace(console.workspace)
    folder = RunFolder(workspace.run(run))
    config = read_config(folder.path)
    devices = open_devices(config)
    with workspace.store() as store, console.progress(description) as progress:
        yield RunContext(
            folder, config, open_space(config.space, config.sizes), devices, store, lambda told: show(progress, told)
        )


def show(progress: Progress, told: SearchProgress) -> None:
    """Draws the progress of a search or a training."""
    parts = []
    if told.best_quality is not None:
        parts.append(f"best mean IoU {100 * told.best_quality:.1f} %")
    parts += [f"{ms:.2f} ms on {device}" for device, ms in told.best_latency_ms.items()]
    rejected = sum(told.rejected.values())
    if rejected:
        parts.append(f"{rejected} rejected unseen")
    if told.note:
        parts.append(told.note)
    progress.update(told.done, told.total, ", ".join(parts), stage=told.stage)
