"""The folder in which measurements, predictors and runs are kept."""

from __future__ import annotations

import logging
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.errors import UserError

if TYPE_CHECKING:
    from devices.device import Device
    from latency.bounded import BoundedPredictor
    from latency.operators.operator import OperatorGraph
    from latency.store import MeasurementStore
    from latency.store_rows import StoredMeasurement

DEFAULT_WORKSPACE = Path("latseg-workspace")
STORE = "measurements.sqlite"
_COMMAND = re.compile("`latseg (?!doctor [^`])")
"""A command that works on the workspace of the global options; ``doctor`` names its own."""
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkspaceFolder:
    """``measurements.sqlite``, ``predictors/<device>/``, ``runs/<id>/`` below ``root``."""

    root: Path
    on_warning: Callable[[str], None] | None = None
    """Called with a line about damaged measurements; by default it is logged."""

    def store(self, *, read_only: bool = False) -> MeasurementStore:
        """The measurements, created at first use; ``read_only`` leaves those that are there as they are.

        Raises:
            UserError: the store is corrupt or of a newer schema, or the folder cannot be written.
        """
        from latency.store import MeasurementStore

        read_only = read_only and self.has_store
        if not read_only:
            self._make(self.root)
        warn = self.on_warning or _logger.warning
        return MeasurementStore(self.root / STORE, read_only=read_only, on_warning=warn)

    @property
    def has_store(self) -> bool:
        """Whether anything was measured here."""
        return (self.root / STORE).is_file()

    def known_store(self) -> MeasurementStore:
        """The measurements, which are there.

        Raises:
            UserError: nothing was measured here, or what ``store`` raises.
        """
        if not self.has_store:
            raise UserError(
                "workspace",
                seen=f"no {STORE} in {self.root}",
                expected="a folder in which `latseg profile` measured",
                remedy="name such a folder, or run `latseg profile`",
            )
        return self.store()

    def measured(self, device: Device, graph: OperatorGraph) -> StoredMeasurement | None:
        """The latest measurement of this very net on the device as it is now, if the workspace has one."""
        if not self.has_store:
            return None
        from latency.store import MeasurementStore

        with MeasurementStore(self.root / STORE, read_only=True) as store:
            return store.latest_of(device.info().fingerprint, graph)

    def reference_ms(self, device: Device) -> float | None:
        """The device's time of the reference net, if the workspace has measured it."""
        if not self.has_store:
            return None
        from latency.store import MeasurementStore

        with MeasurementStore(self.root / STORE, read_only=True) as store:
            return store.nominal_reference_ms(device.info())

    def predictor_folder(self, device: Device) -> Path:
        """Where ``fit`` puts the device's predictor."""
        info = device.info()
        name = device.name if info.threads == 1 else f"{device.name}-{info.threads}-threads"
        name += "".join(f"-{key}-{value}" for key, value in info.settings)
        return self.root / "predictors" / re.sub(r"[^A-Za-z0-9.-]+", "_", name)

    def predictor(self, device: Device, warn: Callable[[str], None]) -> BoundedPredictor:
        """The device's fitted predictor; ``warn`` is called where the runtime has another version now.

        Raises:
            UserError: there is none, or it was fitted on another device.
        """
        from latency.bounded import BoundedPredictor

        folder, info = self.predictor_folder(device), device.info()
        if not folder.is_dir():
            options = f"--device {device.name}" + (f" --threads {info.threads}" if info.threads > 1 else "")
            raise UserError(
                f"predictor of {device.name}",
                seen=f"none in {self.root}",
                expected="one fitted on measurements of this device",
                remedy=f"run `latseg profile {options}` and `latseg fit {options}`",
            )
        predictor = BoundedPredictor.load(folder, device=info).on_scale(self.reference_ms(device))
        _logger.info("predictor of %s from %s", device.name, folder)
        warning = predictor.version_warning(info)
        if warning:
            warn(warning)
        return predictor

    def prior_folder(self) -> Path:
        """Where ``pretrain`` puts the prior."""
        return self.root / "prior"

    def runs(self) -> Path:
        """The folder of all runs."""
        return self.root / "runs"

    def run_ids(self) -> list[str]:
        """Ids of the runs, the oldest first."""
        return sorted(path.parent.name for path in self.runs().glob("*/run.json"))

    def run(self, run_id: str) -> Path:
        """The folder of one run.

        Raises:
            UserError: no such run.
        """
        folder = self.runs() / run_id
        if not re.fullmatch(r"[A-Za-z0-9._-]+", run_id) or not (folder / "run.json").is_file():
            known = self.run_ids()
            seen = f"{run_id!r}"
            expected = f"one of {', '.join(known[-5:])}" if known else "a run of this workspace, which has none"
            raise UserError("run", seen=seen, expected=expected, remedy="start one with `latseg search`")
        return folder

    @staticmethod
    def _make(folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                "workspace",
                seen=f"{folder} ({error.strerror})",
                expected="a folder that can be written",
                remedy="choose another with --workspace DIR",
            ) from error


def for_workspace(line: str, workspace: Path) -> str:
    """``line`` with its commands, written as `latseg ...` for the default workspace, made for this one."""
    return _COMMAND.sub(lambda _: f"`{command_line(workspace)} ", line)


def command_line(workspace: Path, *words: str) -> str:
    """A ``latseg`` command for a workspace, to be pasted into a shell."""
    chosen = () if workspace == DEFAULT_WORKSPACE else ("--workspace", str(workspace))
    return shlex.join(["latseg", *chosen, *words])
