"""Whether the files of a run are as they were written: its settings, its trials, its checkpoints, its bundles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.errors import UserError
from latseg.checked_file import CheckedFile, checked_store, exists, folders_in

if TYPE_CHECKING:
    from search.run_config import RunConfig
    from search.run_folder import RunFolder

_COMMANDS = {"winners": "train", "transfers": "transfer", "teacher.safetensors": "train"}
"""What writes checkpoints, by the first part of their path in the run. ``train`` makes a missing teacher, whatever the
evaluator of the search."""


def run_files(root: Path, folder: Path, repair: bool) -> Iterator[CheckedFile]:
    """The files of the run in ``folder``; the trial store is replaced where it is damaged and ``repair`` is set.

    Raises:
        UserError: the new trial store cannot be written.
    """
    from search.run_config import FILE_NAME, read_config
    from search.run_folder import RunFolder
    from search.trials import TrialStore

    run = RunFolder(folder)
    config: RunConfig | None = None
    name = str((folder / FILE_NAME).relative_to(root))
    try:
        config = read_config(folder)
        yield CheckedFile(name, "run")
    except UserError as error:
        remedy = "restore it from a copy; without it the run cannot be continued, its bundles stay usable"
        yield CheckedFile(name, "run", str(error.seen), remedy=remedy)
    if exists(run.trials):
        yield checked_store(root, run.trials, TrialStore, repair)
    yield from _records(root, run)
    if config is not None and _has_our_checkpoints(config):
        yield from _checkpoints(root, folder)
    for bundle in folders_in(folder / "bundles"):
        yield _checked_bundle(root, folder, bundle)


def _records(root: Path, run: RunFolder) -> Iterator[CheckedFile]:
    from search.constraints.near_budget_record import read_near_budget
    from search.evaluators import short_trainings
    from search.teachers import record as teachers
    from search.transfers import record as transfers
    from search.winners.held_out_record import read_held_out_record
    from search.winners.trained_record import read_trained_record

    if exists(run.near_budget):
        yield _checked_record(root, run.near_budget, "calibration record", lambda: read_near_budget(run.near_budget))
    if exists(run.path / short_trainings.FILE_NAME):
        read = partial(short_trainings.read_short_trainings, run.path)
        yield _checked_record(root, run.path / short_trainings.FILE_NAME, "short trainings", read)
    for path in sorted((run.path / "winners").glob("*_test.json")):
        yield _checked_record(root, path, "scores on the test part", partial(read_held_out_record, path))
    for path in sorted((run.path / "winners").glob("*_trained.json")):
        yield _checked_record(root, path, "quality after training", partial(read_trained_record, path))
    for folder in folders_in(run.path / "teachers"):
        yield _checked_record(root, folder / teachers.FILE_NAME, "teacher", partial(teachers.read_record, folder))
    for folder in folders_in(run.path / "transfers"):
        yield _checked_record(root, folder / transfers.FILE_NAME, "transfer", partial(transfers.read_transfer, folder))


def _checked_record(root: Path, path: Path, kind: str, read: Callable[[], object]) -> CheckedFile:
    name = str(path.relative_to(root))
    try:
        read()
    except UserError as error:
        return CheckedFile(name, kind, str(error.seen), remedy=error.remedy)
    return CheckedFile(name, kind)


def _has_our_checkpoints(config: RunConfig) -> bool:
    """Whether the run's task is the segmentation of this package; another one writes files of its own kind."""
    from search.spaces.plan_space import PlanSpace
    from search.spaces.registry import is_network, open_space

    if is_network(config.space):
        return True
    try:
        return isinstance(open_space(config.space, classes=len(config.classes), sizes=config.sizes), PlanSpace)
    except UserError:
        return False  # a plug-in that is not installed here


def _checkpoints(root: Path, folder: Path) -> Iterator[CheckedFile]:
    from segmentation.training.checkpoint import load_checkpoint

    for path in sorted(folder.rglob("*.safetensors")):
        if "bundles" in path.relative_to(folder).parts:
            continue
        name = str(path.relative_to(root))
        command = _COMMANDS.get(path.relative_to(folder).parts[0], "search --resume")
        try:
            load_checkpoint(path)
        except UserError as error:
            then = "asks the teacher again" if "teachers" in path.relative_to(folder).parts else "trains it anew"
            remedy = f"restore it from a copy, or delete it: `latseg {command} {folder.name}` then {then}"
            yield CheckedFile(name, "checkpoint", str(error.seen), remedy=remedy)
        else:
            yield CheckedFile(name, "checkpoint")


def _checked_bundle(root: Path, folder: Path, bundle: Path) -> CheckedFile:
    from export.bundle.bundle_files import changed
    from export.bundle.manifest import read_manifest

    name = str(bundle.relative_to(root))
    try:
        manifest = read_manifest(bundle)
        found = {file.path: changed(bundle, file) for file in manifest.files}
    except UserError as error:
        found = {"manifest.json": str(error.seen)}
    fault = "; ".join(f"{path}: {reason}" for path, reason in found.items() if reason)
    remedy = f"write it anew: `latseg export {folder.name} --winner {bundle.name}`" if fault else ""
    return CheckedFile(name, "bundle", fault, remedy=remedy)
