"""ONNX's Resize in torch (ONNX specification, "Resize")."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name
from torch import Tensor

from devices.backends.cuda.node import Arguments, Compute, Node, first

_HALF_PIXEL = ("half_pixel", "pytorch_half_pixel")
_NEAREST = {
    ("asymmetric", "floor"): "nearest",
    ("half_pixel", "round_prefer_floor"): "nearest-exact",
    ("pytorch_half_pixel", "round_prefer_floor"): "nearest-exact",
}
_SMOOTH = {"linear": "bilinear", "cubic": "bicubic"}


def _resize(node: Node, arguments: Arguments) -> Tensor:
    x = first(arguments)
    _check(node, x)
    size, scales = _target(node, arguments, x)
    mode, coordinates = node.get("mode", "nearest"), node.get("coordinate_transformation_mode", "half_pixel")
    if mode == "nearest":
        rule = (coordinates, node.get("nearest_mode", "round_prefer_floor"))
        whole = all(target % side == 0 for side, target in zip(x.shape[2:], size or _floored(x, scales), strict=True))
        # Between two pixels, torch rounds up and ONNX down.
        if rule not in _NEAREST or (_NEAREST[rule] == "nearest-exact" and not whole):
            raise node.refuse(f"{' and '.join(rule)} to {size or scales}")
        return F.interpolate(x, size, scales, mode=_NEAREST[rule], recompute_scale_factor=False if scales else None)
    if coordinates == "align_corners":
        return F.interpolate(x, size or _floored(x, scales), mode=_SMOOTH[mode], align_corners=True)
    if coordinates in _HALF_PIXEL:
        exact = False if scales else None
        return F.interpolate(x, size, scales, mode=_SMOOTH[mode], align_corners=False, recompute_scale_factor=exact)
    if (mode, coordinates) != ("linear", "asymmetric"):
        raise node.refuse(f"{coordinates} and {mode}")
    for axis, side in ((2, 0), (3, 1)):
        target = (size or _floored(x, scales))[side]
        x = _stretched(x, axis, target, scales[side] if scales else target / x.shape[axis])
    return x


def _check(node: Node, x: Tensor) -> None:
    if node.opset < 11 or node.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise node.refuse("an opset before 11, or a kept aspect ratio")
    if x.dim() != 4 or node.get("antialias", 0) or node.get("axes") not in (None, [2, 3]):
        raise node.refuse("other than height and width, or with antialias")
    if node.get("mode") == "cubic" and (node.get("cubic_coeff_a", -0.75) != -0.75 or node.get("exclude_outside", 0)):
        raise node.refuse("other coefficients than -0.75")


def _target(node: Node, arguments: Arguments, x: Tensor) -> tuple[list[int] | None, list[float] | None]:
    """Height and width of the output, or the factors of both."""
    scales, sizes = (node.given(name, arguments, place) or None for name, place in (("scales", 2), ("sizes", 3)))
    given: list[Any] = scales or sizes or [1.0] * 4
    if len(given) == 4 and given[:2] != ([1.0, 1.0] if scales else [*x.shape[:2]]):
        raise node.refuse("other than height and width")
    return (None, given[-2:]) if sizes is None else (given[-2:], None)


def _floored(x: Tensor, scales: list[float] | None) -> list[int]:
    assert scales is not None
    return [int(side * scale) for side, scale in zip(x.shape[2:], scales, strict=True)]


def _stretched(x: Tensor, axis: int, target: int, scale: float) -> Tensor:
    """Linear between the numbers at ``place / scale``."""
    last = x.shape[axis] - 1
    places = (torch.arange(target, device=x.device, dtype=x.dtype) / scale).clamp(0, last)
    below = places.floor()
    share = (places - below).reshape(-1, *[1] * (x.dim() - axis - 1))
    one = x.index_select(axis, below.long())
    other = x.index_select(axis, (below + 1).clamp(max=last).long())
    return one + (other - one) * share


RESIZE: dict[str, Compute] = {"Resize": _resize}
"""By kind of operator."""
