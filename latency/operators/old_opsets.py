"""Opsets 7 and 8 as opset 9: the changes between them (onnx/docs/Changelog.md) concern few operators."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from devices.graph_walk import all_graphs
from foundation.errors import UserError

MIN_OPSET = 7
_TARGET = 9


def upgrade(model: onnx.ModelProto, opset: int) -> int:
    """Rewrites a model of opset 7 or 8 in place; returns its opset afterwards, 9 or the one that it had.

    ``scales`` of Upsample became an input; BatchNormalization lost ``spatial``, whose only value in use is 1.

    Raises:
        UserError: an operator that opset 9 does not have in this form.
    """
    if opset >= _TARGET:
        return opset
    for graph in all_graphs(model.graph):
        for node in graph.node:
            if node.op_type == "Upsample" and not node.domain:
                _scales_to_input(node, graph)
            elif node.op_type == "BatchNormalization" and not node.domain:
                _drop_spatial(node)
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            entry.version = _TARGET
    return _TARGET


def _scales_to_input(node: onnx.NodeProto, graph: onnx.GraphProto) -> None:
    scales = next((attribute for attribute in node.attribute if attribute.name == "scales"), None)
    if scales is None or len(node.input) != 1:
        raise _refused(node, "no scales", "the attribute scales")
    name = f"{node.output[0]}/scales"
    graph.initializer.append(numpy_helper.from_array(np.array(scales.floats, np.float32), name))
    node.input.append(name)
    node.attribute.remove(scales)


def _drop_spatial(node: onnx.NodeProto) -> None:
    spatial = next((attribute for attribute in node.attribute if attribute.name == "spatial"), None)
    if spatial is not None and spatial.i != 1:
        raise _refused(node, "spatial=0", "spatial=1, one scale for each channel")
    if spatial is not None:
        node.attribute.remove(spatial)


def _refused(node: onnx.NodeProto, seen: str, expected: str) -> UserError:
    what = f"operator {node.op_type} (node {node.name!r}) of opset 7 or 8"
    return UserError(what, seen=seen, expected=expected, remedy="export the network with opset 17")
