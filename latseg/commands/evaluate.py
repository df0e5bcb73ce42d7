"""``latseg evaluate``: scores of trained networks on pairs that were held out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from latseg.console import Console, plain, table
from latseg.option_groups import one_of
from latseg.options import SeedOption
from latseg.units import parse_size
from segmentation.data.registry import SOURCES
from segmentation.normalisation import NORMALISATIONS

if TYPE_CHECKING:
    from rich.console import RenderableType

    from latseg.evaluation import Evaluation

_COLUMNS = ("model", "mean_iou", "mean_f1", "boundary_f1", "pixel_accuracy")


def evaluate(
    context: typer.Context,
    target: Annotated[
        str, typer.Argument(metavar="RUN|BUNDLE|MODEL.onnx", help="Id of a run, folder of a bundle, or an ONNX file.")
    ],
    data: Annotated[
        str | None,
        typer.Option(help=f"{one_of(SOURCES.names)}, as in folder:PATH. Default: that of the run."),
    ] = None,
    part: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    data_size: Annotated[
        str | None, typer.Option(help="HEIGHTxWIDTH at which masks are compared. Default: 256x256, or the run's.")
    ] = None,
    data_count: Annotated[int | None, typer.Option(min=4, help="Use at most so many pairs.")] = None,
    resize_masks: Annotated[
        bool, typer.Option("--resize-masks", help="Resize masks whose size is not that of their image.")
    ] = False,
    normalise: Annotated[
        str | None, typer.Option(help=f"Input of an ONNX file from elsewhere: {one_of(tuple(NORMALISATIONS))}.")
    ] = None,
    seed: SeedOption = 0,
) -> None:
    """Score every trained winner of a run, a bundle, or an ONNX file on held-out pairs."""
    console: Console = context.obj
    found = console.api.evaluate(
        target,
        data,
        part=part,
        size=parse_size(data_size, option="--data-size") if data_size else None,
        count=data_count,
        resize_masks=resize_masks,
        normalisation=normalise,
        seed=seed,
    )
    document = found.to_json()
    console.emit(document, lambda: _rendered(found, document["models"]))


def _rendered(found: Evaluation, models: list[dict[str, Any]]) -> list[RenderableType]:
    height, width = found.size
    pairs = models[0]["pictures"]
    title = f"{found.part} part of {found.data}: {pairs} pictures, compared at {height} x {width} (height x width)"
    parts: list[RenderableType] = [table(title, _COLUMNS, [[one[column] for column in _COLUMNS] for one in models])]
    for one in models:
        rows = [[label, iou, one["f1_by_class"][label]] for label, iou in one["iou_by_class"].items()]
        parts.append(table(f"{one['model']} ({one['reading']})", ("class", "iou", "f1"), rows))
        if one["calibration"] is not None:
            error = one["calibration"]["expected_calibration_error"]
            parts.append(f"Expected calibration error of the foreground's probability: {error:.4f}")
        worst = [[score["iou"], score["picture"]] for score in one["worst"]]
        parts.append(table("Worst pictures", ("iou", "picture"), worst))
        if one["sheet"] is not None:
            parts.append(f"The best, the median and the worst: {plain(one['sheet'])}")
    parts.append(plain("boundary_f1: outlines within 2 pixels (Csurka et al., BMVC 2013); all scores from 0 to 1"))
    return parts
