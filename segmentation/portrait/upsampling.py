"""Enlargements in the nets of the ``portrait`` space: of features in the decoder, and of class logits to full size.

``bilinear`` and ``nearest`` use resize operators. ``transposed`` and ``shuffle`` use none, since some NPUs compute them
on the CPU, or wrongly: their layers are learned, and start as an interpolation.
"""

from __future__ import annotations

from collections.abc import Iterator

from segmentation.networks.plan import Layer
from segmentation.networks.plan_builder import PlanBuilder

WITHOUT_RESIZE = ("transposed", "shuffle")
LEARNED_FACTOR = 4
"""A learned layer enlarges by this much at most; larger factors take several. Weights and channels grow with the square
of the factor."""
SHRINK = 4
"""A shuffle of features enlarges a quarter of the channels: on a CPU most of its time goes into moving pixels."""


def enlarged(
    builder: PlanBuilder, name: str, x: str, factor: int, upsampling: str, *, kernel: int = 1, shrink: int = SHRINK
) -> str:
    """``x`` with height and width times ``factor``, a power of two, and as many channels as before.

    ``kernel`` and ``shrink`` are those of a shuffle. The learned layers of a factor have names of their own, so that
    nets only share those that do the same.
    """
    if upsampling not in WITHOUT_RESIZE:
        return builder.enlarge(name, x, factor)
    for number, step in enumerate(_steps(factor), start=1):
        if upsampling == "transposed":
            x = builder.interpolate(f"{name}.{number}.transposed{step}", x, step)
        else:
            x = builder.shuffle(f"{name}.{number}.shuffle{step}", x, step, kernel=kernel, shrink=shrink)
    return x


def full_size_logits(builder: PlanBuilder, x: str, stride: int, classes: int, upsampling: str) -> str:
    """Logits at the input's size from features at ``stride``."""
    factor = min(stride, LEARNED_FACTOR)
    if upsampling == "transposed":
        layer = Layer(f"head.transposed{factor}", "conv_transpose", (x,), classes, 2 * factor, factor, normalise=False)
        x = builder.add(layer, classes)
        return _remaining(builder, x, stride // factor, upsampling)
    if upsampling == "shuffle":
        x = builder.conv(f"head.shuffle{factor}", x, classes * factor**2, normalise=False)
        x = builder.add(Layer("head.shuffled", "pixel_shuffle", (x,), factor=factor), classes)
        return _remaining(builder, x, stride // factor, upsampling)
    x = builder.conv("head.classes", x, classes, normalise=False)
    if upsampling == "bilinear":
        return _remaining(builder, x, stride, upsampling)
    x = _remaining(builder, x, stride // 2, upsampling)
    x = builder.add(Layer("head.nearest", "resize", (x,), factor=2, mode="nearest"), classes)
    return builder.depthwise("head.refine", x, 3, activation="none", normalise=False)


def _remaining(builder: PlanBuilder, x: str, factor: int, upsampling: str) -> str:
    if factor == 1:
        return x
    # The one channel of a class knows nothing of what is between its pixels: a shuffle reads the neighbours, too.
    return enlarged(builder, "head.enlarge", x, factor, upsampling, kernel=3, shrink=1)


def _steps(factor: int) -> Iterator[int]:
    while factor > 1:
        step = min(factor, LEARNED_FACTOR)
        yield step
        factor //= step
