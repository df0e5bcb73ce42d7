"""Any ONNX file as a segmentation network; what the file does not say is guessed, and the guess is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from devices.device import Device
from devices.model_file import check_model
from devices.model_inputs import data_inputs
from export.bundle.preprocess import Placement, spread
from foundation.errors import UserError
from segmentation.normalisation import MEAN, STD

if TYPE_CHECKING:
    import onnx

Pixels = NDArray[np.uint8]
_OURS = "latseg"
"""Producer of the files that this package exports."""
NORMALISATIONS: Mapping[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "imagenet": (MEAN, STD),
    "0..1": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "-1..1": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "0..255": ((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)),
}
"""Mean and standard deviation of the input by name; the input is (x - mean) / std with x in 0..1."""


@dataclass(frozen=True, slots=True)
class PictureInput:
    """The only input of a model: a picture."""

    name: str
    layout: Literal["NCHW", "NHWC"]
    height: int
    width: int
    dtype: str
    normalisation: str
    """Name of it; empty for whole numbers, which are fed as they are."""
    guessed: bool
    """Whether the file does not say how its input is normalised."""

    def feed(self, picture: Pixels) -> NDArray[np.generic]:
        """A picture, height x width x 3, as the input."""
        from PIL import Image

        fitted = Image.fromarray(picture).resize((self.width, self.height), Image.Resampling.BILINEAR)
        values: NDArray[Any] = np.asarray(fitted)
        if self.normalisation:
            mean, std = NORMALISATIONS[self.normalisation]
            values = (values / 255 - np.asarray(mean)) / np.asarray(std)
        batch = values[None] if self.layout == "NHWC" else values.transpose(2, 0, 1)[None]
        return np.ascontiguousarray(batch.astype(self.dtype))

    def __str__(self) -> str:
        feed = f"normalised as {self.normalisation}" if self.normalisation else "as it is"
        return f"input {self.name} {self.dtype} {self.layout} RGB {self.height} x {self.width}, {feed}"


class ForeignModel:
    """Runs an ONNX file on pictures.

    Args:
        path: the file.
        classes: number of classes.
        size: height and width of the input where the file leaves them open.
        device: runs the file.
        normalisation: one of ``NORMALISATIONS``; by default guessed from the file.

    Raises:
        UserError: no ONNX file, other than one picture as input, or no output with a score for each class.
    """

    def __init__(
        self, path: Path, classes: int, size: tuple[int, int], device: Device, *, normalisation: str | None = None
    ) -> None:
        self.path, self.classes, self._device = path, classes, device
        self.input = picture_input(path, check_model(path), size, normalisation)
        self._probability = False
        scores = self._scores(np.full((*size, 3), 128, np.uint8))
        self._probability = scores.shape[0] == 1 and scores.min() >= 0 and scores.max() <= 1

    @property
    def reading(self) -> str:
        """How pictures are fed and answers are read."""
        guess = " (guessed)" if self.input.guessed else ""
        if self._probability:
            return f"{self.input}{guess}; output as probability of the person"
        return f"{self.input}{guess}; output as scores or class numbers"

    def labels(self, picture: Pixels) -> Pixels:
        """The class numbers of a picture, of its own height and width.

        Raises:
            UserError: the runtime fails, or an output of another shape.
        """
        height, width, _ = picture.shape
        scores = self._scores(picture)
        if scores.shape[0] == 1:
            inside = scores - (0.5 if self._probability else 0)
            scores = np.concatenate([np.zeros_like(inside), inside])
        return spread(scores[None], Placement(0, 0, *scores.shape[1:]), height, width).labels

    def _scores(self, picture: Pixels) -> NDArray[np.float32]:
        """Scores, classes x height x width of the output; one plane where only the person has a score."""
        outputs = self._device.infer(self.path, {self.input.name: self.input.feed(picture)})
        found = (_as_scores(output, self.classes) for output in outputs)
        scores = next((one for one in found if one is not None), None)
        if scores is None:
            shapes = ", ".join(f"{output.dtype} {'x'.join(map(str, output.shape))}" for output in outputs)
            raise UserError(
                f"output of {self.path}", seen=shapes, expected=f"scores of {self.classes} classes for each pixel",
                remedy="take data with the classes of the model (many sets have ?person)",
            )  # fmt: skip
        return scores


def picture_input(
    path: Path, model: onnx.ModelProto, size: tuple[int, int], normalisation: str | None = None
) -> PictureInput:
    """The input of a model that takes one picture; ``size`` fills open dimensions.

    Raises:
        UserError: other inputs, or a normalisation of another name.
    """
    from onnx import helper

    name, shape = _picture_shape(path, model)
    first = shape[1] == 3 or (shape[1] is None and shape[3] != 3)
    sides = shape[2:] if first else shape[1:3]
    kind = data_inputs(model.graph)[0].type.tensor_type.elem_type
    dtype = str(helper.tensor_dtype_to_np_dtype(kind).name)
    whole = not dtype.startswith("float")
    usual = "imagenet" if first else "0..1"
    if normalisation is not None and normalisation not in NORMALISATIONS:
        raise UserError(
            "--normalise", seen=repr(normalisation), expected=f"one of {', '.join(NORMALISATIONS)}", remedy="correct it"
        )
    return PictureInput(
        name=name,
        layout="NCHW" if first else "NHWC",
        height=sides[0] or size[0],
        width=sides[1] or size[1],
        dtype=dtype,
        normalisation="" if whole else normalisation or usual,
        guessed=not whole and normalisation is None and model.producer_name != _OURS,
    )


def _picture_shape(path: Path, model: onnx.ModelProto) -> tuple[str, list[int | None]]:
    """Name and dimensions of the only input; None where a dimension is open."""
    inputs = data_inputs(model.graph)
    shape = [one.dim_value if one.dim_value > 0 else None for one in inputs[0].type.tensor_type.shape.dim]
    if len(inputs) == 1 and len(shape) == 4 and shape[0] in (None, 1) and {3, None} & {shape[1], shape[3]}:
        return inputs[0].name, shape
    one = "the shape " + " x ".join("?" if side is None else str(side) for side in shape)
    raise UserError(
        f"input of {path}", seen=one if len(inputs) == 1 else f"{len(inputs)} inputs",
        expected="one picture, 1 x 3 x height x width or 1 x height x width x 3",
        remedy="evaluate a network that segments pictures",
    )  # fmt: skip


def _as_scores(output: NDArray[np.generic], classes: int) -> NDArray[np.float32] | None:
    """Scores (classes x height x width) of an output; one plane where there is one; None for other outputs."""
    if output.ndim == 4 and output.shape[0] == 1:
        output = output[0]
    if output.ndim == 3 and output.shape[-1] in (1, classes) and output.shape[0] not in (1, classes):
        output = output.transpose(2, 0, 1)
    if output.ndim != 3:
        return None
    if not np.issubdtype(output.dtype, np.floating):
        if output.shape[0] != 1:
            return None
        return np.asarray(output == np.arange(classes).reshape(-1, 1, 1), np.float32)
    if output.shape[0] == classes or (output.shape[0] == 1 and classes == 2):
        return output.astype(np.float32)
    return None
