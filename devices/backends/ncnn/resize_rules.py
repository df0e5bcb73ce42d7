"""Resizes that pnnx takes for others without a word (pnnx 20261020)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

_INTERPOLATING = ("half_pixel", "pytorch_half_pixel", "align_corners")
_NEAREST = ("asymmetric", "floor")
_COEFFICIENT = -0.75
_TOLERANCE = 1e-6


def resize_fault(node: onnx.NodeProto, opset: int) -> str | None:
    """What ncnn lacks of a resize, such as ``coordinates 'asymmetric'``; None where it has all, and for other nodes."""
    if node.op_type not in ("Resize", "Upsample"):
        return None
    old = opset <= 10
    texts: dict[str, str] = {each.name: each.s.decode(errors="replace") for each in node.attribute}
    mode = texts.get("mode", "nearest")
    rule = texts.get("coordinate_transformation_mode", "asymmetric" if old else "half_pixel")
    rounding = texts.get("nearest_mode", "floor" if old else "round_prefer_floor")
    if mode == "nearest":
        return None if (rule, rounding) == _NEAREST else f"nearest pixels by {rule!r} and {rounding!r}"
    if rule not in _INTERPOLATING:
        return f"coordinates {rule!r}"
    coefficient = next((each.f for each in node.attribute if each.name == "cubic_coeff_a"), _COEFFICIENT)
    if mode == "cubic" and abs(coefficient - _COEFFICIENT) > _TOLERANCE:
        return f"the cubic coefficient {coefficient:g}"
    return None
