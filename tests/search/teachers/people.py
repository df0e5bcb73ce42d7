"""Labelled pictures in which red says where the person is, and tiny teachers that see it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper
from PIL import Image

from latseg.testing.graph_builder import GraphBuilder
from segmentation.data.registry import open_source
from segmentation.data.source import DataSource

SIZE = (32, 32)
BACKGROUND, PERSON = 126, 129
"""Red of both, on either side of the middle; blue says nothing."""
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
UNIT = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
BYTES = ((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255))


def picture(seed: int, size: tuple[int, int] = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Picture and mask: a rectangle on one side."""
    rng = np.random.default_rng(seed)
    height, width = size
    mask = np.zeros(size, np.uint8)
    top, left = rng.integers(2, height // 3), rng.integers(2, width // 4)
    mask[top : top + height // 2, left : left + width // 2] = 1
    red = np.where(mask == 1, PERSON, BACKGROUND)
    green = rng.integers(0, 256, size)
    return np.stack([red, green, np.full(size, 128)], -1).astype(np.uint8), mask


def folder(place: Path, count: int = 12) -> Path:
    """A folder of pairs."""
    for name in ("images", "masks"):
        (place / name).mkdir(parents=True)
    for number in range(count):
        image, mask = picture(number)
        Image.fromarray(image).save(place / "images" / f"{number:03}.png")
        Image.fromarray(255 * mask).save(place / "masks" / f"{number:03}.png")
    return place


def photographs(place: Path, count: int = 5) -> Path:
    """A folder of pictures alone."""
    place.mkdir(parents=True)
    for number in range(count):
        Image.fromarray(picture(1000 + number)[0]).save(place / f"more{number}.png")
    return place


def source(place: Path) -> DataSource:
    """The pairs at their own size."""
    return open_source(f"folder:{folder(place)}", size=SIZE)


def teacher(
    path: Path,
    *,
    normalisation: tuple[tuple[float, ...], tuple[float, ...]] = UNIT,
    channels: str = "rgb",
    layout: str = "nchw",
    head: str = "logits",
    classes: int = 2,
    person: int = 1,
    size: int | str = 32,
    shrink: int = 1,
    steep: float = 2000.0,
) -> Path:
    """A net that answers by red alone, which it expects normalised like this; its output is ``shrink`` times smaller.

    ``head``: ``logits``, ``probabilities`` (soft-max), ``one`` (one channel, sigmoid), ``one logit``, or ``numbers``.
    """
    mean, std = normalisation
    net = GraphBuilder(seed=1)
    x = "image" if layout == "nchw" else net.node("Transpose", ["image"], perm=[0, 3, 1, 2])
    outputs = 1 if head.startswith("one") else classes
    weight, bias = np.zeros((outputs, 3, 1, 1), np.float32), np.zeros(outputs, np.float32)
    red = 0 if channels == "rgb" else 2
    wanted = 0 if outputs == 1 else person
    weight[wanted, red] = steep * std[0]
    bias[wanted] = steep * (mean[0] - 0.5)
    bias[np.arange(outputs) != wanted] = -50
    if outputs > 1:
        other = 0 if person else 1
        bias[other] = 0
    x = net.node("Conv", [x, net.constant(weight), net.constant(bias)], kernel_shape=[1, 1])
    if shrink > 1:
        x = net.node("AveragePool", [x], kernel_shape=[shrink, shrink], strides=[shrink, shrink])
    if head == "probabilities":
        x = net.node("Softmax", [x], axis=1)
    if head == "one":
        x = net.node("Sigmoid", [x])
    if head == "numbers":
        x = net.node("ArgMax", [x], axis=1, keepdims=0)
    if layout == "nhwc" and head != "numbers":
        x = net.node("Transpose", [x], perm=[0, 2, 3, 1])
    shape = (1, 3, size, size) if layout == "nchw" else (1, size, size, 3)
    model = net.finish(x, shape, ())
    output = model.graph.output[0]
    output.ClearField("type")
    kind = TensorProto.INT64 if head == "numbers" else TensorProto.FLOAT
    output.type.CopyFrom(helper.make_tensor_type_proto(kind, None))
    onnx.save(model, path)
    return path
