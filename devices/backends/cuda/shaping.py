"""ONNX operators that move numbers without computing any, in torch (ONNX specification, "operators")."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name
from torch import Tensor

from devices.backends.cuda.node import Arguments, Compute, Node, first, pair


def _reshape(node: Node, arguments: Arguments) -> Tensor:
    x, sides = first(arguments), node.given("shape", arguments, 1)
    if not node.get("allowzero", 0):
        sides = [x.shape[place] if side == 0 else side for place, side in enumerate(sides)]
    return x.reshape(sides)


def _flatten(node: Node, arguments: Arguments) -> Tensor:
    x, axis = first(arguments), node.get("axis", 1)
    return x.reshape(x.shape[:axis].numel(), -1)


def _transpose(node: Node, arguments: Arguments) -> Tensor:
    x = first(arguments)
    # The consumer of a view would do the work.
    return x.permute(node.get("perm", tuple(reversed(range(x.dim()))))).contiguous()


def _squeeze(node: Node, arguments: Arguments) -> Tensor:
    axes = node.given("axes", arguments, 1)
    return first(arguments).squeeze() if axes is None else first(arguments).squeeze(tuple(axes))


def _unsqueeze(node: Node, arguments: Arguments) -> Tensor:
    x, axes = first(arguments), node.given("axes", arguments, 1)
    rank = x.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _slice(node: Node, arguments: Arguments) -> Tensor:
    x = first(arguments)
    starts, ends = (node.given(name, arguments, place) for name, place in (("starts", 1), ("ends", 2)))
    axes = node.given("axes", arguments, 3) or range(len(starts))
    steps = node.given("steps", arguments, 4) or [1] * len(starts)
    if min(steps) < 1:
        raise node.refuse("a negative step")
    places = [slice(None)] * x.dim()
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        places[axis] = slice(start, end, step)
    return x[tuple(places)].contiguous()


def _split(node: Node, arguments: Arguments) -> tuple[Tensor, ...]:
    x, axis = first(arguments), node.get("axis", 0)
    sizes = node.given("split", arguments, 1)
    if sizes is None:
        sizes = -(-x.shape[axis] // len(node.outputs))
    return tuple(part.contiguous() for part in torch.split(x, sizes, axis))


def _pad(node: Node, arguments: Arguments) -> Tensor:
    x, pads, mode = first(arguments), node.given("pads", arguments, 1), node.get("mode", "constant")
    axes = node.given("axes", arguments, 3) or range(x.dim())
    widths = [(0, 0)] * x.dim()
    for place, axis in enumerate(axes):
        widths[axis] = (pads[place], pads[place + len(pads) // 2])
    if mode == "constant":
        return F.pad(x, _innermostfirst(widths), value=node.given("value", arguments, 2) or 0)
    while widths and widths[0] == (0, 0):
        widths = widths[1:]
    return F.pad(x, _innermostfirst(widths), mode={"edge": "replicate", "wrap": "circular"}.get(mode, mode))


def _innermostfirst(widths: list[tuple[int, int]]) -> list[int]:
    return [width for pair in reversed(widths) for width in pair]


def _depth_to_space(node: Node, arguments: Arguments) -> Tensor:
    x, block = first(arguments), node.get("blocksize")
    if node.get("mode", "DCR") == "CRD":
        return F.pixel_shuffle(x, block)
    batch, channels, height, width = x.shape
    x = x.reshape(batch, block, block, channels // block**2, height, width).permute(0, 3, 4, 1, 5, 2)
    return x.reshape(batch, channels // block**2, height * block, width * block)


def _space_to_depth(node: Node, arguments: Arguments) -> Tensor:
    x, block = first(arguments), node.get("blocksize")
    batch, channels, height, width = x.shape
    x = x.reshape(batch, channels, height // block, block, width // block, block).permute(0, 3, 5, 1, 2, 4)
    return x.reshape(batch, channels * block**2, height // block, width // block)


def _gather(node: Node, arguments: Arguments) -> Tensor:
    x, places = pair(arguments)
    axis = node.get("axis", 0) % x.dim()
    found = x.index_select(axis, places.reshape(-1) % x.shape[axis])
    return found.reshape(*x.shape[:axis], *places.shape, *x.shape[axis + 1 :])


def _constant(node: Node, _: Arguments) -> Tensor:
    names = ("value", "value_float", "value_floats", "value_int", "value_ints")
    value: Any = next(node.attributes[name] for name in names if name in node.attributes)
    return value if isinstance(value, Tensor) else torch.tensor(value)


def _constant_of_shape(node: Node, arguments: Arguments) -> Tensor:
    fill = node.get("value", torch.zeros(1))
    return torch.full(first(arguments).tolist(), fill.item(), dtype=fill.dtype)


def _expand(node: Node, arguments: Arguments) -> Tensor:
    x = first(arguments)
    sides = np.broadcast_shapes(x.shape, tuple(node.given("shape", arguments, 1)))
    return x.expand(sides).contiguous()


SHAPING: dict[str, Compute] = {
    "Concat": lambda node, arguments: torch.cat([x for x in arguments if x is not None], node.get("axis")),
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "DepthToSpace": _depth_to_space,
    "Dropout": lambda _, arguments: first(arguments),
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Identity": lambda _, arguments: first(arguments),
    "Pad": _pad,
    "Reshape": _reshape,
    "Shape": lambda node, arguments: torch.tensor(first(arguments).shape[node.get("start", 0) : node.get("end")]),
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": lambda node, arguments: first(arguments).repeat(node.given("repeats", arguments, 1)),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
"""By kind of operator."""
