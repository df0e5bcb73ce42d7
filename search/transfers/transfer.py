"""Trains a net of a run for another task, and keeps what it reached."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from devices.model_file import sha256_of
from search.architecture import Architecture
from search.options import DataOptions, TrainingOptions
from search.run_config import RunConfig
from search.run_context import RunContext
from search.tasks.task import TaskOptions, Trained
from search.transfers.latency import PredictorOf, measured_latencies, predicted_latencies
from search.transfers.record import Start, TransferRecord, TransferResult, read_transfer, write_transfer
from search.transfers.target import Target, open_target
from search.winners.export import trained_module


@dataclass(frozen=True, slots=True)
class TransferOptions:
    """How a net is trained for another task; the rest is as in the run."""

    data: DataOptions
    seed: int
    epochs: int | None = None
    """None for the run's ``winner_epochs``."""
    teacher_epochs: int | None = None
    """None for the run's."""
    from_scratch: bool = False
    """Begin with random weights, and not with those of the trained winner."""
    predicted: bool = False
    """Predict the latency instead of measuring it."""

    @property
    def start(self) -> Start:
        """What the net begins with."""
        return "scratch" if self.from_scratch else "winner"


@dataclass(frozen=True, slots=True)
class Transferred:
    """A finished transfer."""

    record: TransferRecord
    trained: Trained
    data_notes: tuple[str, ...]
    folder: Path


def transfer(
    context: RunContext,
    architecture: Architecture,
    options: TransferOptions,
    *,
    predictor_of: PredictorOf,
    on_note: Callable[[str], None],
) -> Transferred:
    """Trains the net; continues where it was interrupted. Trainings that differ in their start alone share a folder.

    A winner that was trained again is another start: the checkpoint's name has digits of the SHA-256 of its weights.

    Args:
        context: the run.
        architecture: a net of the run.
        options: the other task.
        predictor_of: the predictor of a device.
        on_note: called with each sentence on how the data are read, before anything is trained, and on the training.

    Raises:
        UserError: the winner was not trained yet, or as ``open_target``, ``Task.train``, ``measured_latencies`` and
            ``predicted_latencies``.
        KeyboardInterrupt: on Ctrl-C, after the checkpoint was written.
    """
    winner = None if options.from_scratch else trained_module(context, architecture)
    target = open_target(context, options.data, options.seed, architecture)
    weights = None if winner is None else target.fitting(winner, architecture, context.config.classes)
    training = _training(context.config, options)
    folder = context.folder.transfer(_id(architecture, target, training, options))
    task = target.task(TaskOptions(options.data, training, options.seed, folder), weights)
    sha256 = None if winner is None else sha256_of(context.folder.training(architecture.id))
    checkpoint = folder / (f"{options.start}.safetensors" if sha256 is None else f"winner-{sha256[:8]}.safetensors")
    for note in target.source.notes:
        on_note(f"data: {note}")
    trained = task.train(architecture, checkpoint=checkpoint, on_progress=context.on_progress)
    for note in trained.notes:
        on_note(note)
    known = read_transfer(folder) or _new_record(architecture, target)
    record = known.with_result(_result(trained, options.start, checkpoint, sha256))
    write_transfer(folder, record)
    if not record.latencies or not (options.predicted or all(latency.measured for latency in record.latencies)):
        found = (
            predicted_latencies(context, target.nets.lower(architecture), predictor_of)
            if options.predicted
            else measured_latencies(context, task, architecture, trained.module, folder / "model.onnx")
        )
        record = record.model_copy(update={"latencies": found})
        write_transfer(folder, record)
    return Transferred(record, trained, target.source.notes, folder)


def _training(config: RunConfig, options: TransferOptions) -> TrainingOptions:
    """The run's, but without a teacher of the user's own, which knows the run's classes, and without scenes."""
    given = {"winner_epochs": options.epochs, "teacher_epochs": options.teacher_epochs}
    changes = {name: value for name, value in given.items() if value is not None}
    return config.training.model_copy(update={"teacher": None, "unlabelled": None, "scene_steps": 0, **changes})


def _id(architecture: Architecture, target: Target, training: TrainingOptions, options: TransferOptions) -> str:
    """Ten hexadecimal digits that name what is trained, whatever it starts from."""
    data = {**options.data.model_dump(mode="json"), "source": target.source.name}
    amounts = [training.winner_epochs, training.teacher_epochs, options.seed]
    return hashlib.sha256(json.dumps([architecture.id, data, amounts]).encode()).hexdigest()[:10]


def _new_record(architecture: Architecture, target: Target) -> TransferRecord:
    return TransferRecord(
        winner=architecture.id,
        task=target.name,
        data=target.source.name,
        classes=target.source.classes,
        input_size=target.nets.input_size(architecture),
        parameters=target.nets.parameters(architecture),
    )


def _result(trained: Trained, start: Start, checkpoint: Path, winner_sha256: str | None) -> TransferResult:
    quality = trained.quality
    return TransferResult(
        start=start,
        epochs=trained.epochs,
        seconds=trained.seconds,
        metrics=dict(quality.metrics),
        main=quality.main,
        examples=quality.examples,
        checkpoint=checkpoint.name,
        winner_sha256=winner_sha256,
    )
