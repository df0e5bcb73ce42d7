"""Runs a teacher once on every picture and keeps what it says, a few pictures in one file."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from devices.worker.runtime import ModelFailedError
from foundation.errors import UserError
from foundation.progress import OnProgress, Progress
from search.teachers.forms import Forms, planes_of
from search.teachers.net import TeacherNet
from segmentation.data.source import PairDataset
from segmentation.evaluation import resized
from segmentation.training.checkpoint import damage_told, load_checkpoint, save_checkpoint
from segmentation.training.soft_labels import SoftLabels, soft_label

_IN_ONE_FILE = 64
_FAILURES = 5
"""A teacher that fails on so many pictures before it succeeds on one is useless."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Labeller:
    """A teacher that is ready to label pictures.

    Args:
        net: the teacher.
        forms: how it is asked.
        classes: number of classes of the data.
        size: height and width at which its answers are kept.
        folder: for the files.
    """

    net: TeacherNet
    forms: Forms
    classes: int
    size: tuple[int, int]
    folder: Path

    def label(self, pictures: PairDataset, part: str, on_progress: OnProgress) -> SoftLabels:
        """The teacher's answers on all pictures; those that an interrupted call has stored are not computed again.

        A picture that cannot be read, or on which the runtime fails, has none.

        Raises:
            UserError: the teacher fails on the first pictures, a file of answers is damaged or of other pictures, or
                the disk is full.
        """
        parts = []
        for start in range(0, len(pictures), _IN_ONE_FILE):
            chosen = range(start, min(start + _IN_ONE_FILE, len(pictures)))
            path = self.folder / f"{part}-{start // _IN_ONE_FILE:04}.safetensors"
            identity = _identity(pictures, chosen)
            if path.exists():
                parts.append(_read(path, identity, len(chosen)))
                continue
            labels = self._labels(pictures, chosen, part, on_progress)
            tensors = {"planes": labels.planes, "known": labels.known}
            save_checkpoint(path, tensors, {"kind": "teacher's answers", "pictures": identity})
            parts.append(labels)
        return SoftLabels.joined(parts)

    def _labels(self, pictures: PairDataset, chosen: range, part: str, on_progress: OnProgress) -> SoftLabels:
        at_input = pictures.at(self.forms.input.size)
        planes = torch.zeros(len(chosen), self.classes - 1, *self.size, dtype=torch.uint8)
        known = torch.zeros(len(chosen), dtype=torch.bool)
        for place, index in enumerate(chosen):
            try:
                planes[place] = self._answer(at_input, index)
                known[place] = True
            except (ModelFailedError, UserError) as error:
                _logger.warning("the teacher has no answer for %s: %s", pictures.identity(index), error)
                if index + 1 == min(_FAILURES, len(pictures)) and not known.any():
                    raise UserError(
                        f"teacher {self.net.path}", seen=f"{error}, on each of the first {index + 1} pictures",
                        expected="a net that runs", remedy="try it by itself, or take another teacher",
                    ) from error  # fmt: skip
            on_progress(Progress(f"teacher: {part}", index + 1, len(pictures)))
        return SoftLabels(planes, known)

    def _answer(self, pictures: PairDataset, index: int) -> Tensor:
        picture, _ = pictures.make(index)
        outputs = self.net.run(self.forms.input.values(picture))
        planes = planes_of(outputs[self.forms.output.output], self.forms.input)
        if planes is None:
            raise ModelFailedError("the output is no map of classes")
        probabilities = torch.from_numpy(self.forms.output.probabilities(planes))
        return soft_label(resized(probabilities[None], self.size)[0])


def _identity(pictures: PairDataset, chosen: Sequence[int]) -> str:
    return hashlib.sha256(json.dumps([pictures.identity(index) for index in chosen]).encode()).hexdigest()


def _read(path: Path, identity: str, count: int) -> SoftLabels:
    tensors, document = load_checkpoint(path)
    with damage_told(path):
        if document["pictures"] != identity or len(tensors["known"]) != count:
            raise UserError(
                f"teacher's answers {path}", seen="those for other pictures", expected="those for the pictures of now",
                remedy="restore the pictures, or delete the file to ask the teacher again",
            )  # fmt: skip
        return SoftLabels(tensors["planes"], tensors["known"])
