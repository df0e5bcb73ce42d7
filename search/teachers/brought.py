"""A teacher that the user brought: it is compared with the masks first, then it labels every picture once."""

from __future__ import annotations

import hashlib
import json
import logging
from functools import cached_property
from pathlib import Path

from devices.model_file import sha256_of
from foundation.atomic_file import write_file
from foundation.errors import UserError
from foundation.progress import OnProgress
from search.teachers.agreement import agreement, worst_pictures
from search.teachers.forms import forms_of
from search.teachers.guess import guess
from search.teachers.known import file_of
from search.teachers.labelling import Labeller
from search.teachers.net import TeacherNet
from search.teachers.options import TeacherOptions, read_teacher, written
from search.teachers.record import TeacherRecord, read_record, worst_sheet, write_record
from segmentation.data.source import DataSource
from segmentation.data.unlabelled import UnlabelledPictures
from segmentation.training.teaching import StoredTargets, Teaching

_FLOOR = {True: 0.6, False: 0.4}
"""Least mean IoU against the masks, for two classes and for more. Guessing by one class has half of it or less."""

_logger = logging.getLogger(__name__)


class BroughtTeacher:
    """A teacher of ``FILE[:KEY=VALUE,...]``.

    Args:
        text: the teacher.
        source: the data whose pictures it labels.
        folder: of the run; what each teacher says of the data is kept in a folder of its own in ``teachers/``.
        threads: of its runtime.
    """

    def __init__(self, text: str, source: DataSource, folder: Path, threads: int) -> None:
        self.options: TeacherOptions = read_teacher(text)
        self._source, self._threads = source, threads
        self._run_folder = folder

    @cached_property
    def net(self) -> TeacherNet:
        """The net; nothing of it is loaded yet.

        Raises:
            UserError: as ``TeacherNet``.
        """
        return TeacherNet(file_of(self.options.file), self._threads)

    @cached_property
    def sha256(self) -> str:
        """Of the file.

        Raises:
            UserError: it cannot be read.
        """
        return sha256_of(self.net.path)

    @property
    def identity(self) -> str:
        """Text that changes whenever the net, what the user said of it, or the data do."""
        known = [self.sha256, written(self.options.given), self._source.fingerprint]
        return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:16]

    @property
    def folder(self) -> Path:
        """Where its answers are kept."""
        return self._run_folder / "teachers" / self.identity

    @property
    def worst(self) -> Path:
        """PNG of the validation pictures on which it agrees least."""
        return worst_sheet(self._run_folder, self.identity)

    def compared(self, on_progress: OnProgress) -> TeacherRecord:
        """How it is asked, and how well it agrees with the masks of the validation part.

        Raises:
            UserError: it cannot be run, or it agrees so little that its description or the teacher is wrong.
        """
        record = read_record(self.folder)
        if record is None:
            record = self._compare(on_progress)
            write_record(self.folder, record)
        floor = _FLOOR[len(self._source.classes) == 2]
        if record.mean_iou < floor:
            raise UserError(
                f"teacher {record.name}",
                seen=f"mean IoU {record.mean_iou:.3f} against the masks with {record.description}",
                expected=f"at least {floor}",
                remedy=f"look at {self.worst}; name what is wrong, such as person, mean, std or values",
            )
        return record

    def teaching(self, unlabelled: UnlabelledPictures | None, on_progress: OnProgress) -> Teaching:
        """Its answers on the training part and on photographs without masks; those without an answer are left out.

        Raises:
            UserError: as ``compared`` and ``Labeller.label``.
        """
        labeller = self._labeller(self.compared(on_progress))
        labelled = labeller.label(self._source.train, "training", on_progress)
        if unlabelled is None:
            return Teaching(StoredTargets(self.identity, labelled))
        part = f"unlabelled-{unlabelled.fingerprint[:8]}"
        known, labels = labeller.label(unlabelled, part, on_progress).only_known()
        return (
            Teaching(StoredTargets(self.identity, labelled, labels), unlabelled.only(known))
            if known
            else Teaching(StoredTargets(self.identity, labelled))
        )

    def _compare(self, on_progress: OnProgress) -> TeacherRecord:
        source, options = self._source, self.options
        found = guess(self.net, options, source, on_progress)
        every = found.options(len(source.classes))
        height, width = (min(pair) for pair in zip(found.map_size, source.train.size, strict=True))
        record = TeacherRecord(
            name=Path(self.options.file).name,
            file_sha256=self.sha256,
            description=written(every),
            found_out=tuple(key for key in every if key not in options.given),
            map_size=(height, width),
            mean_iou=0,
            pictures=0,
            failed=0,
        )
        labels = self._labeller(record).label(source.validation, "validation", on_progress)
        scores = agreement(labels, source)
        for photographs in (True, False):
            path = worst_sheet(self._run_folder, self.identity, photographs=photographs)
            write_file(path, worst_pictures(scores, labels, source, photographs=photographs))
        failed = len(labels) - scores.pictures
        _logger.info("teacher %s: mean IoU %.3f against the masks", record.name, scores.mean_iou)
        return record.model_copy(update={"mean_iou": scores.mean_iou, "pictures": scores.pictures, "failed": failed})

    def _labeller(self, record: TeacherRecord) -> Labeller:
        described = read_teacher(f"{self.options.file}:{record.description}")
        classes = len(self._source.classes)
        return Labeller(self.net, forms_of(described.given, classes), classes, record.map_size, self.folder)
