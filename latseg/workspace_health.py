"""Whether the files of a workspace are as they were written, and what can be saved of those that are not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from foundation.errors import UserError
from latseg.checked_file import CheckedFile, checked_store, exists, folders_in
from latseg.run_health import run_files
from latseg.workspace_folder import STORE, WorkspaceFolder


@dataclass(frozen=True, slots=True)
class WorkspaceHealth:
    """Every file that was checked."""

    path: Path
    files: tuple[CheckedFile, ...]

    @property
    def damaged(self) -> tuple[CheckedFile, ...]:
        """Files in which something was wrong, repaired ones among them."""
        return tuple(file for file in self.files if file.fault)

    @property
    def ok(self) -> bool:
        """Whether nothing is damaged, or no longer."""
        return all(file.repaired for file in self.damaged)

    def to_json(self) -> dict[str, Any]:
        """The document of ``latseg doctor WORKSPACE --json``."""
        return {"workspace": str(self.path), "ok": self.ok, "files": [asdict(file) for file in self.files]}


def check_workspace(workspace: WorkspaceFolder, *, repair: bool = False) -> WorkspaceHealth:
    """Reads every file of the workspace that has a checksum or a schema; measures and trains nothing.

    Args:
        workspace: the folder.
        repair: replace damaged stores by new ones with what can be read; the old ones stay as ``NAME.damaged-N``.

    Raises:
        UserError: no such folder, a repair cannot write, or another process has a damaged store open.
    """
    if not workspace.root.is_dir():
        raise UserError(
            "workspace", seen=f"no folder {workspace.root}", expected="a folder that latseg wrote to",
            remedy="name the folder: `latseg doctor WORKSPACE`",
        )  # fmt: skip
    return WorkspaceHealth(workspace.root, tuple(_files(workspace, repair)))


def _files(workspace: WorkspaceFolder, repair: bool) -> Iterator[CheckedFile]:
    from latency.store import MeasurementStore

    root = workspace.root
    if exists(root / STORE):
        yield checked_store(root, root / STORE, MeasurementStore, repair)
    for folder in folders_in(root / "predictors"):
        yield _checked_predictor(root, folder)
    if exists(workspace.prior_folder()):
        yield _checked_prior(root, workspace.prior_folder())
    for folder in folders_in(workspace.runs()):
        yield from run_files(root, folder, repair)


def _checked_predictor(root: Path, folder: Path) -> CheckedFile:
    from latency.bounded import BoundedPredictor

    name = str(folder.relative_to(root))
    try:
        predictor = BoundedPredictor.load(folder)
    except UserError as error:
        remedy = "fit it anew from the measurements: `latseg fit` with the same --device"
        return CheckedFile(name, "predictor", str(error.seen), remedy=remedy)
    return CheckedFile(name, "predictor", saved=predictor.calibration.statement)


def _checked_prior(root: Path, folder: Path) -> CheckedFile:
    from latency.predictors.transfer.prior_folder import load_prior

    name = str(folder.relative_to(root))
    try:
        load_prior(folder)
    except UserError as error:
        return CheckedFile(name, "prior", str(error.seen), remedy=error.remedy)
    return CheckedFile(name, "prior")
