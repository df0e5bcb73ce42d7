"""Trained winners, bundles and ONNX files, scored on one part of a data source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from foundation.errors import UserError
from foundation.progress import OnProgress
from search.options import DataOptions
from segmentation.data.registry import open_source
from segmentation.data.source import DataSource
from segmentation.part_scores import PartScores, Predict, Prediction, part_scores

if TYPE_CHECKING:
    from search.run_context import RunContext

Part = Literal["train", "validation", "test"]
Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class EvaluatedModel:
    """The scores of one model."""

    model: str
    """Id of a winner, or path of a bundle or an ONNX file."""
    kind: Literal["winner", "bundle", "model"]
    reading: str
    """How pictures are fed to it."""
    scores: PartScores
    bundle: Path | None = None
    """Of a winner that was exported."""
    sheet: Path | None = None
    """PNG of the best, the median and the worst pictures; of a winner on the test part of its run's data."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The scores of one or more models on the same pairs; ``to_json`` is the document of ``latseg evaluate``."""

    data: str
    part: Part
    size: tuple[int, int]
    """Height and width at which pictures are shown and masks are compared."""
    models: tuple[EvaluatedModel, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON object."""
        models = [
            {
                "model": one.model,
                "kind": one.kind,
                "reading": one.reading,
                "bundle": None if one.bundle is None else str(one.bundle),
                "sheet": None if one.sheet is None else str(one.sheet),
                **one.scores.to_json(),
            }
            for one in self.models
        ]
        return {"data": self.data, "part": self.part, "size": list(self.size), "models": models}


def evaluate_bundle(path: Path, data: DataOptions, part: Part, seed: int, on_progress: OnProgress) -> Evaluation:
    """A bundle, with the normalisation and the input that it states, after the checks of ``segment``.

    Raises:
        UserError: no bundle, a changed one, data of other classes, or an empty part.
    """
    from export.bundle.segment import Segmenter
    from foundation.picture import Picture

    segmenter = Segmenter(path, edges="bilinear")  # as winners and other models are judged
    source = _opened(data, seed)
    _require_classes(source, len(segmenter.manifest.classes))
    layout = segmenter.layout
    reading = f"as the bundle states: {layout.height} x {layout.width}, {segmenter.policy}"

    def predict(image: NDArray[np.uint8]) -> Prediction:
        found = segmenter.segment(Picture(image))
        return Prediction(found.labels, found.foreground)

    scores = _scores(predict, source, part, on_progress)
    return _evaluation(source, part, EvaluatedModel(str(path), "bundle", reading, scores))


def evaluate_model(
    path: Path,
    data: DataOptions,
    part: Part,
    seed: int,
    on_progress: OnProgress,
    *,
    normalisation: str | None = None,
    warn: Warn,
) -> Evaluation:
    """Any ONNX or TFLite file; ``warn`` is called with what had to be guessed.

    Raises:
        UserError: as ``ForeignModel``, the data cannot be read, or an empty part.
    """
    from devices.hardware import core_count
    from latseg.foreign_model import ForeignModel

    source = _opened(data, seed)
    model = ForeignModel(path, source, core_count(), normalisation=normalisation, on_progress=on_progress)
    if model.guessed:
        warn(f"{path} does not say how its input is normalised: {model.reading}; --normalise sets it")
    scores = _scores(lambda image: Prediction(model.labels(image)), source, part, on_progress)
    return _evaluation(source, part, EvaluatedModel(str(path), "model", model.reading, scores))


def evaluate_run(context: RunContext, data: DataOptions, part: Part, warn: Warn) -> Evaluation:
    """Every winner of a run that was trained in full, or its known network.

    Scores on the test part of the run's own data are kept in its folder, with a few pictures, for the report.

    Raises:
        UserError: no trained winner, a run of another task, data of other classes, or an empty part.
    """
    config = context.config
    source = _opened(data, config.seed)
    _require_classes(source, len(config.classes))
    own = part == "test" and data == config.task_options(context.folder.path).data
    models = tuple(_winners(context, source, part, warn, kept=own))
    if not models:
        raise UserError(
            f"run {config.run}", seen="no winner that was trained in full", expected="trained weights",
            remedy=f"run `latseg train {config.run} --winner ID`",
        )  # fmt: skip
    return _evaluation(source, part, *models)


def _winners(
    context: RunContext, source: DataSource, part: Part, warn: Warn, *, kept: bool
) -> Iterator[EvaluatedModel]:
    from search.tasks.segmentation import SegmentationTask
    from search.winners.export import trained_module
    from search.winners.training import trained_nets
    from segmentation.evaluation import predictor_of

    task = context.task
    if not isinstance(task, SegmentationTask):
        raise UserError(
            f"run {context.config.run}", seen="a task of a plug-in", expected="segmentation",
            remedy="evaluate its bundles with your own script",
        )  # fmt: skip
    for net in trained_nets(context):
        try:
            module = trained_module(context, net.architecture)
        except UserError as error:
            warn(str(error))
            continue
        size = task.space.input_size(net.architecture)
        predict = predictor_of(module, size)
        scores = _scores(predict, source, part, context.on_progress)
        sheet = _keep(context, net.id, predict, source, scores, warn) if kept else None
        bundle = context.folder.bundle(net.id)
        reading = f"its trained weights: {size[0]} x {size[1]}"
        yield EvaluatedModel(net.id, "winner", reading, scores, bundle if bundle.is_dir() else None, sheet)


def _keep(
    context: RunContext, net_id: str, predict: Predict, source: DataSource, scores: PartScores, warn: Warn
) -> Path | None:
    """Keeps scores and pictures for the report; returns the sheet of pictures, None where there is none."""
    from search.winners.held_out import keep_held_out

    try:
        record = keep_held_out(context.folder, net_id, predict, source, scores)
    except OSError as error:
        folder = context.folder.held_out(net_id).parent
        warn(f"the report will not show these scores: {folder} cannot be written ({error.strerror or error})")
        return None
    return None if record is None else context.folder.held_out_sheet(net_id)


def _scores(predict: Predict, source: DataSource, part: Part, on_progress: OnProgress) -> PartScores:
    return part_scores(predict, getattr(source, part), source.classes, on_progress=on_progress)


def _evaluation(source: DataSource, part: Part, *models: EvaluatedModel) -> Evaluation:
    return Evaluation(source.name, part, source.train.size, models)


def _opened(data: DataOptions, seed: int) -> DataSource:
    return open_source(data.source, seed=seed, **data.model_dump(exclude={"source"}))


def _require_classes(source: DataSource, classes: int) -> None:
    if len(source.classes) != classes:
        raise UserError(
            f"classes of {source.name}", seen=f"{len(source.classes)} ({', '.join(source.classes[:5])}, ...)",
            expected=f"{classes}, as the model has", remedy="take data with its classes (many sets have ?person)",
        )  # fmt: skip
