"""Inputs whose values, not only their shapes, decide how large tensors inside a model are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from devices.graph_walk import bodies
from devices.model_inputs import data_inputs

if TYPE_CHECKING:
    import onnx

_SLOTS: dict[str, tuple[int, ...]] = {
    "AffineGrid": (1,),
    "BlackmanWindow": (0,),
    "CenterCropPad": (1,),
    "Col2Im": (1, 2),
    "Compress": (1,),
    "ConstantOfShape": (0,),
    "DFT": (1, 2),
    "Expand": (1,),
    "HammingWindow": (0,),
    "HannWindow": (0,),
    "If": (0,),
    "ImageDecoder": (0,),
    "Loop": (0, 1),
    "MaxUnpool": (2,),
    "MelWeightMatrix": (0, 1, 2, 3, 4),
    "NonMaxSuppression": (0, 1, 2, 3, 4),
    "NonZero": (0,),
    "OneHot": (1,),
    "Pad": (1, 3),
    "Range": (0, 1, 2),
    "Reshape": (1,),
    "STFT": (1, 3),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "SplitToSequence": (1,),
    "Squeeze": (1,),
    "StringSplit": (0,),
    "Tile": (1,),
    "TopK": (1,),
    "Unique": (0,),
    "Unsqueeze": (1,),
    "Upsample": (1,),
}
"""Inputs, by their slot, whose values decide the shape of the output or how often a body runs (ONNX operators)."""
_ON_DATA = frozenset({"ImageDecoder", "NonZero", "StringSplit", "Unique"})
"""Their first input is the data, and its values decide the shape."""
_AXES = 1
_ONLY_SHAPES = frozenset({"Shape", "Size"})


def shape_deciding_inputs(model: onnx.ModelProto) -> tuple[str, ...]:
    """Names of the inputs whose values reach a shape, in the model's order.

    The model is one that ``check_model`` has accepted.
    """
    if model.functions:
        from onnx.inliner import inline_local_functions

        model = inline_local_functions(model)
    needed: set[str] = set()
    _collect(model.graph.node, needed)
    return tuple(value.name for value in data_inputs(model.graph) if value.name in needed)


def _collect(nodes: Iterable[onnx.NodeProto], needed: set[str]) -> None:
    """Adds the tensors whose values are needed to know every shape; nodes are in topological order."""
    for node in reversed(list(nodes)):
        for body in bodies((node,)):
            _collect(body.node, needed)
            if needed.intersection(value.name for value in body.input):
                needed.update(node.input)
        needed.update(node.input[slot] for slot in _slots(node) if slot < len(node.input))
        if node.op_type not in _ONLY_SHAPES and needed.intersection(node.output):
            needed.update(node.input)
            for body in bodies((node,)):
                needed.update(value.name for value in body.output)
                _collect(body.node, needed)
    needed.discard("")


def setting_slots(node: onnx.NodeProto) -> tuple[int, ...]:
    """The inputs of a node, by their slot, whose values decide shapes without being the data that it works on."""
    return () if node.op_type in _ON_DATA else _slots(node)


def _slots(node: onnx.NodeProto) -> tuple[int, ...]:
    if node.domain not in ("", "ai.onnx"):
        return ()
    if node.op_type.startswith("Reduce"):
        return (_AXES,)
    if node.op_type != "Resize":
        return _SLOTS.get(node.op_type, ())
    if len(node.input) == 2:  # before opset 11
        return (1,)
    crops = any(attribute.s == b"tf_crop_and_resize" for attribute in node.attribute)
    return (1, 2, 3) if crops else (2, 3)
