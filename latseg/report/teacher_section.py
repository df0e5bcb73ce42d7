"""The report's section on the teacher: whose answers the networks learned from, and how good these are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from latseg.report.kept_picture import kept_picture
from latseg.report.page import Section, html_table, image
from latseg.report.photographs import LEFT_OUT, may_show
from search.run_config import SHIPPED_TEACHER, RunConfig
from search.run_context import RunContext
from search.teachers.record import TeacherRecord, read_record, worst_sheet
from segmentation.pretrained.weights import recipe, shipped_sha256
from segmentation.training.checkpoint import damage_told, load_checkpoint

_TITLE = "The teacher"
_WORST = "the validation pictures on which it agrees least"


def teacher_section(context: RunContext, *, photographs: bool) -> Section:
    """The teachers that the user brought; else the one that is trained for the run, and what it began with.

    Args:
        context: a run whose task is segmentation.
        photographs: False shows masks alone, unless the data are synthetic.

    Raises:
        UserError: a file of a teacher is damaged.
    """
    folders = sorted(path for path in (context.folder.path / "teachers").glob("*") if path.is_dir())
    found = [(folder.name, record) for folder in folders if (record := read_record(folder)) is not None]
    if found:
        return _brought(context.folder.path, found, photographs=may_show(context.config, photographs=photographs))
    if context.config.training.teacher is not None:
        return Section(_TITLE, "It was not compared with the masks of the validation part yet.", "")
    return Section(_TITLE, _trained(context.config, context.folder.path / "teacher.safetensors"), "")


def _brought(run: Path, found: Sequence[tuple[str, TeacherRecord]], *, photographs: bool) -> Section:
    columns = ("teacher", "mean IoU with the masks, %", "validation pictures", "failed")
    rows = [(one.name, round(100 * one.mean_iou, 1), one.pictures, one.failed) for _, one in found]
    sheets = [
        image(kept_picture(path, "pictures of the teacher", "search"), f"{one.name}: {_WORST}")
        for identity, one in found
        if (path := worst_sheet(run, identity, photographs=photographs)).exists()
    ]
    lead = ". ".join(note for _, one in found for note in one.notes)
    left_out = "" if photographs else f" {LEFT_OUT}."
    return Section(_TITLE, f"{lead}.{left_out}", html_table(columns, rows) + "".join(sheets))


def _trained(config: RunConfig, checkpoint: Path) -> str:
    if not config.training.teacher_epochs:
        return "The networks learned from the masks alone."
    passes = f"in {config.training.teacher_epochs} passes over the data"
    beginning = _beginning(config) if config.training.pretrained else "random weights."
    if not checkpoint.exists():
        return f"A large net that is not trained yet: it will be, {passes}. It begins with {beginning}"
    lead = f"A large net, trained for this run {passes}. It began with {beginning}"
    _, document = load_checkpoint(checkpoint)
    with damage_told(checkpoint):
        quality = document["quality"]
        reached = (
            "" if quality is None else f" Mean IoU {100 * float(quality['mean_iou']):.1f} % on the validation part."
        )
    return lead + reached


def _beginning(config: RunConfig) -> str:
    sha256 = config.versions.get(SHIPPED_TEACHER)
    if sha256 is None:
        return "the weights that shipped with latseg."
    name = f"the weights that shipped with latseg (SHA-256 {sha256[:16]}…"
    if sha256 != shipped_sha256("teacher"):
        return f"{name}; the latseg that is installed now has others)."
    how = recipe("teacher")
    return f"{name}; trained on {how.get('data', 'data that are not stated')})."
