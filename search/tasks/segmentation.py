"""Segmentation of images: a net gives every pixel a class. Importing this module loads torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from typing_extensions import override

from foundation.errors import UserError
from foundation.progress import OnProgress, ignore_progress
from foundation.temporary_folder import TemporaryFolder
from search.architecture import Architecture
from search.progress import SearchProgress
from search.tasks.first_lessons import Nets, taught_by_scenes, with_shipped_encoder, with_shipped_weights
from search.tasks.task import Quality, Split, Task, TaskOptions, Trained
from search.teachers.brought import BroughtTeacher
from segmentation.data.contact_sheet import contact_sheet
from segmentation.data.registry import open_source
from segmentation.data.source import DataSource
from segmentation.data.unlabelled import UnlabelledPictures, open_unlabelled
from segmentation.evaluation import evaluate
from segmentation.metrics import Quality as Scores
from segmentation.networks.teacher import teacher_size
from segmentation.normalisation import MEAN, STD
from segmentation.training.checkpoint import damage_told, load_weights
from segmentation.training.loop import OnTrainingProgress, TrainingProgress
from segmentation.training.settings import TrainSettings
from segmentation.training.teaching import NO_TEACHING, Teaching
from segmentation.training.train import train, trained_teacher

MAIN_METRIC = "mean_iou"
_EVALUATIONS = 100
"""Of a training with many short epochs, each with a checkpoint."""
_EXAMPLES = 2
"""Pictures of the validation split for the parity check of an export."""


class SegmentationTask(Task):
    """Images to masks, with a teacher that is trained once for a run and shared by all students.

    Args:
        space: of the nets.
        options: of the task.
        source: the data, where they are open already.
    """

    def __init__(self, space: Nets, options: TaskOptions, source: DataSource | None = None) -> None:
        self.space = space
        self.options = options
        self._opened_source = source
        self._teacher: nn.Module | None = None
        self._teacher_mean_iou = 0.0
        self._teaching: Teaching | None = None

    @cached_property
    def source(self) -> DataSource:
        """The data.

        Raises:
            UserError: they cannot be read.
        """
        if self._opened_source is not None:
            return self._opened_source
        how = self.options.data.model_dump(exclude={"source"})
        return open_source(self.options.data.source, seed=self.options.seed, **how)

    @property
    @override
    def classes(self) -> tuple[str, ...]:
        return self.source.classes

    @property
    @override
    def data(self) -> str:
        return self.source.name

    @property
    @override
    def data_fingerprint(self) -> str:
        unlabelled, _ = self._unlabelled
        return self.source.fingerprint + ("" if unlabelled is None else f"+{unlabelled.fingerprint}")

    @property
    @override
    def training_examples(self) -> int:
        return len(self.source.train)

    @property
    @override
    def fingerprint(self) -> str:
        return self.data_fingerprint + (f"+{self.brought.identity}" if self.brought else "")

    @property
    @override
    def data_notes(self) -> tuple[str, ...]:
        return (*self.source.notes, *self._unlabelled[1])

    @cached_property
    def _unlabelled(self) -> tuple[UnlabelledPictures | None, tuple[str, ...]]:
        """The photographs without masks, and sentences on them."""
        folder = self.options.training.unlabelled
        if folder is None:
            return None, ()
        pictures, notes = open_unlabelled(Path(folder), self.source)
        return pictures, (f"{len(pictures)} photographs without masks in {folder}", *notes)

    @cached_property
    def brought(self) -> BroughtTeacher | None:
        """The teacher that the user brought.

        Raises:
            UserError: as ``read_teacher``.
        """
        training = self.options.training
        if training.teacher is None:
            return None
        folder = self.options.folder or self._temporary.path
        return BroughtTeacher(training.teacher, self.source, folder, training.threads)

    @cached_property
    def _temporary(self) -> TemporaryFolder:
        """Without a folder of its own the task keeps what a teacher says as long as it lives."""
        return TemporaryFolder()

    @override
    def compare_teacher(self, on_progress: OnProgress = ignore_progress) -> tuple[str, ...]:
        if self.brought is None:
            return ()
        record = self.brought.compared(on_progress)
        return (*record.notes, f"the pictures on which it agrees least: {self.brought.worst}")

    def teaching(self, on_progress: OnProgress = ignore_progress) -> Teaching:
        """What students learn from besides masks and the teacher that is trained; made now where it is not yet."""
        if self._teaching is None:
            unlabelled, _ = self._unlabelled
            brought = self.brought
            self._teaching = (
                Teaching(None, unlabelled) if brought is None else brought.teaching(unlabelled, on_progress)
            )
        return self._teaching

    @property
    def teacher_size(self) -> tuple[int, int] | None:
        """Height and width at which a trained teacher sees images; None where there is no such teacher."""
        if self.options.training.teacher is not None or not self.options.training.teacher_epochs:
            return None
        return teacher_size(self.options.training.training_size or self.options.data.size)

    def teacher(self, on_progress: OnProgress = ignore_progress) -> nn.Module | None:
        """The trained teacher; trained now where there is none yet. None where the options ask for none."""
        if self._teacher is None and self.teacher_size is not None:
            training = self.options.training
            settings = self._settings(self.teacher_size, training.teacher_epochs)
            checkpoint = self.options.folder and self.options.folder / "teacher.safetensors"
            result = trained_teacher(
                self.source,
                settings,
                checkpoint=checkpoint,
                pretrained=training.pretrained,
                on_progress=passed_on(on_progress, "teacher"),
            )
            self._teacher, self._teacher_mean_iou = result.network, result.quality.mean_iou
        return self._teacher

    @override
    def build(self, architecture: Architecture) -> nn.Module:
        return self.space.build(architecture)

    @override
    def example_inputs(self, architecture: Architecture) -> Mapping[str, Tensor]:
        height, width = self.space.input_size(architecture)
        return {"image": torch.zeros(1, 3, height, width)}

    @override
    def train(
        self,
        architecture: Architecture,
        *,
        checkpoint: Path,
        epochs: int | None = None,
        short: bool = False,
        on_progress: OnProgress = ignore_progress,
    ) -> Trained:
        settings = self._settings(
            self.space.input_size(architecture),
            epochs or self.options.training.epochs_of_winner(self.training_examples),
            teacher_size=None if short else self.teacher_size,
        )
        result = train(
            self._student(architecture, checkpoint, short=short, on_progress=on_progress),
            self.source,
            settings,
            teacher=None if short else self.teacher(on_progress),
            teaching=NO_TEACHING if short and self.brought is None else self.teaching(on_progress),
            checkpoint=checkpoint,
            on_progress=passed_on(on_progress, f"{'short training' if short else 'train'} {architecture.id}"),
        )
        quality = self._quality(result.quality)
        return Trained(result.network, quality, result.epochs, result.seconds, self._lessons(quality.value))

    def _student(
        self, architecture: Architecture, checkpoint: Path, *, short: bool, on_progress: OnProgress
    ) -> nn.Module:
        """The net at the beginning of its training: with shipped weights where it is short, after scenes otherwise."""
        training, seed = self.options.training, self.options.seed
        if checkpoint.exists() or not training.pretrained:
            torch.manual_seed(seed)
            return self.build(architecture)
        if short:
            return with_shipped_weights(self.space, architecture, seed=seed)
        if not training.scene_steps:
            return with_shipped_encoder(self.space, architecture, seed=seed)
        return taught_by_scenes(
            self.space,
            architecture,
            training.scene_steps,
            seed=seed,
            threads=training.threads,
            device=training.device,
            checkpoint=checkpoint.with_name(f"{architecture.id}_scenes.safetensors"),
            on_progress=passed_on(on_progress, f"scenes {architecture.id}"),
        )

    def _lessons(self, mean_iou: float) -> tuple[str, ...]:
        """A sentence where the student is better than its teacher, or the teacher had no answers."""
        teacher = self.brought.compared(ignore_progress).mean_iou if self.brought else self._teacher_mean_iou
        notes = []
        if 0 < teacher < mean_iou:
            notes.append(
                f"the teacher is worse than this net (mean IoU {teacher:.3f} against {mean_iou:.3f}): "
                "without it, or with a better one, the net may become better"
            )
        stored = self.teaching().stored
        failed = 0 if stored is None else int((~stored.labelled.known).sum())
        if failed:
            notes.append(f"the teacher had no answer for {failed} of {len(self.source.train)} training pictures")
        return tuple(notes)

    @override
    def load(self, architecture: Architecture, checkpoint: Path) -> nn.Module:
        network = self.build(architecture)
        document = load_weights(network, checkpoint)
        with damage_told(checkpoint):
            epochs, wanted = len(document["history"]), int(document["settings"]["epochs"])
        if epochs < wanted:
            raise UserError(
                f"checkpoint {checkpoint}",
                seen=f"{epochs} of {wanted} epochs of training",
                expected="trained weights",
                remedy="finish the training with `latseg train`, which continues where it stopped",
            )
        return network.eval()

    @override
    def evaluate(
        self, architecture: Architecture, module: nn.Module, *, split: Split = "validation", limit: int | None = None
    ) -> Quality:
        part = getattr(self.source, split)
        return self._quality(evaluate(module, part, self.space.input_size(architecture), limit=limit))

    @override
    def describe(self) -> dict[str, Any]:
        return {
            "task": "segmentation",
            "data": self.data,
            "classes": list(self.classes),
            "normalisation": {"mean": list(MEAN), "std": list(STD)},
            "resize_policy": "resize",
        }

    @override
    def pictures(self) -> Sequence[NDArray[np.uint8]]:
        validation = self.source.validation
        images = [validation[index][0] for index in range(min(_EXAMPLES, len(validation)))]
        return [np.asarray((255 * image).round().to(torch.uint8).permute(1, 2, 0)) for image in images]

    @override
    def first_look(self, *, photographs: bool = True) -> bytes | None:
        return contact_sheet(self.source, photographs=photographs)

    def _settings(
        self, size: tuple[int, int], epochs: int, *, teacher_size: tuple[int, int] | None = None
    ) -> TrainSettings:
        training = self.options.training
        return TrainSettings(
            input_size=size,
            epochs=epochs,
            batch_size=training.batch_size,
            teacher_input_size=teacher_size,
            evaluate_every=max(1, epochs // _EVALUATIONS),
            evaluate_limit=training.evaluation_images,
            seed=self.options.seed,
            threads=training.threads,
            device=training.device,
        )

    def _quality(self, scores: Scores) -> Quality:
        metrics = {"mean_iou": scores.mean_iou, "mean_f1": scores.mean_f1, "pixel_accuracy": scores.pixel_accuracy}
        return Quality(metrics, MAIN_METRIC, scores.images, scores.to_json())


def passed_on(on_progress: OnProgress, stage: str) -> OnTrainingProgress:
    """Reports the moments of a training as moments of a search, in which it is the stage ``stage``."""

    def report(progress: TrainingProgress) -> None:
        on_progress(
            SearchProgress(
                stage,
                progress.done,
                progress.total,
                progress.note,
                best_quality=progress.best_mean_iou,
                loss=progress.loss,
                learning_rate=progress.learning_rate,
                mean_iou=progress.mean_iou,
            )
        )

    return report
