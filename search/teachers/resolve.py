"""Options of a training with paths that hold from any folder, checked before anything is written."""

from __future__ import annotations

from pathlib import Path

from foundation.errors import UserError
from search.options import TrainingOptions
from search.teachers.known import KNOWN
from search.teachers.net import runtime_of
from search.teachers.options import TeacherOptions, read_teacher


def resolved(training: TrainingOptions) -> TrainingOptions:
    """The options with the teacher as ``FILE:KEY=VALUE,...`` and absolute paths.

    Raises:
        UserError: the teacher cannot be used here, or photographs without masks have no teacher.
    """
    teacher, unlabelled = training.teacher, training.unlabelled
    if teacher is not None:
        options = read_teacher(teacher)
        _check_file(options)
        teacher = options.text
    elif unlabelled is not None and not training.teacher_epochs:
        raise UserError(
            "photographs without masks", seen="no teacher that could label them", expected="a teacher",
            remedy="name one with --teacher, or train one with --teacher-epochs 12",
        )  # fmt: skip
    if unlabelled is not None:
        unlabelled = str(Path(unlabelled).expanduser().absolute())
    return training.model_copy(update={"teacher": teacher, "unlabelled": unlabelled})


def _check_file(options: TeacherOptions) -> None:
    known, path = KNOWN.get(options.file), Path(options.file)
    if known is None and not path.is_file():
        raise UserError(
            "teacher", seen=f"no file {path}", expected=f"an ONNX or a TFLite file, or {' or '.join(KNOWN)}",
            remedy="check the path",
        )  # fmt: skip
    runtime_of(path if known is None else known.path)
