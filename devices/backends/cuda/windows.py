"""ONNX operators that slide a window over a picture, in torch (ONNX specification, "operators")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F  # noqa: N812 - torch's own name
from torch import Tensor

from devices.backends.cuda.node import Arguments, Compute, Node, first, pair

_CONVOLUTIONS: dict[int, Callable[..., Tensor]] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED: dict[int, Callable[..., Tensor]] = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
_MAXIMA: dict[int, Callable[..., Tensor]] = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}


def _convolution(node: Node, arguments: Arguments) -> Tensor:
    (x, weight), bias = pair(arguments), (*arguments, None)[2]
    rank = x.dim() - 2
    x, padding = _padded(node, x, list(weight.shape[2:]), 0.0)
    settings = {"stride": _sides(node, "strides", rank), "dilation": _sides(node, "dilations", rank)}
    return _CONVOLUTIONS[rank](x, weight, bias, padding=padding, groups=node.get("group", 1), **settings)


def _transposed_convolution(node: Node, arguments: Arguments) -> Tensor:
    (x, weight), bias = pair(arguments), (*arguments, None)[2]
    rank = x.dim() - 2
    before, after = _pads(node, x, list(weight.shape[2:]))
    automatic = node.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID")
    if before != after or automatic or "output_shape" in node.attributes:
        raise node.refuse("uneven or automatic padding, or an output_shape")
    return _TRANSPOSED[rank](
        x, weight, bias, stride=_sides(node, "strides", rank), dilation=_sides(node, "dilations", rank),
        padding=before, output_padding=node.get("output_padding", [0] * rank), groups=node.get("group", 1),
    )  # fmt: skip


def _max_pool(node: Node, arguments: Arguments) -> Tensor:
    x = first(arguments)
    rank, kernel = x.dim() - 2, node.get("kernel_shape")
    x, padding = _padded(node, x, kernel, float("-inf"))
    return _MAXIMA[rank](
        x, kernel, _sides(node, "strides", rank), padding, _sides(node, "dilations", rank),
        ceil_mode=bool(node.get("ceil_mode", 0)),
    )  # fmt: skip


def _average_pool(node: Node, arguments: Arguments) -> Tensor:
    x = first(arguments)
    if x.dim() != 4 or max(node.get("dilations", [1])) > 1:
        raise node.refuse("other than two dimensions, or dilation")
    kernel, counted = node.get("kernel_shape"), bool(node.get("count_include_pad", 0))
    before, after = _pads(node, x, kernel)
    if before != after and not counted:
        raise node.refuse("uneven padding that does not count")
    x, padding = _padded(node, x, kernel, 0.0)
    strides, ceiling = _sides(node, "strides", 2), bool(node.get("ceil_mode", 0))
    return F.avg_pool2d(x, kernel, strides, padding, ceiling, count_include_pad=counted)


def _sides(node: Node, name: str, rank: int) -> list[int]:
    sides: list[int] = node.get(name, [1] * rank)
    return sides


def _padded(node: Node, x: Tensor, kernel: list[int], value: float) -> tuple[Tensor, list[int]]:
    """The picture, and the padding that is left to the operator; uneven padding is put around the picture before."""
    before, after = _pads(node, x, kernel)
    # torch pads for a maximum by half a window at most.
    narrow = value == 0 or all(2 * pad <= side for pad, side in zip(before, kernel, strict=True))
    if before == after and narrow:
        return x, before
    widths: list[Any] = [width for pair in reversed([*zip(before, after, strict=True)]) for width in pair]
    return F.pad(x, widths, value=value), [0] * len(before)


def _pads(node: Node, x: Tensor, kernel: list[int]) -> tuple[list[int], list[int]]:
    """Before and after, by dimension."""
    rank, automatic = x.dim() - 2, node.get("auto_pad", "NOTSET")
    if automatic == "NOTSET":
        pads = node.get("pads", [0] * 2 * rank)
        return pads[:rank], pads[rank:]
    if automatic == "VALID":
        return [0] * rank, [0] * rank
    total = []
    for side, size, stride, dilation in zip(
        x.shape[2:], kernel, _sides(node, "strides", rank), _sides(node, "dilations", rank), strict=True
    ):
        total.append(max(0, (-(-side // stride) - 1) * stride + dilation * (size - 1) + 1 - side))
    low, high = [each // 2 for each in total], [each - each // 2 for each in total]
    return (low, high) if automatic == "SAME_UPPER" else (high, low)


WINDOWS: dict[str, Compute] = {
    "AveragePool": _average_pool,
    "Conv": _convolution,
    "ConvTranspose": _transposed_convolution,
    "MaxPool": _max_pool,
}
"""By kind of operator."""
