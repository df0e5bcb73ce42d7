"""A net that hangs."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper


def endless_net() -> onnx.ModelProto:
    """Adds 0 to its input nearly without end."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["goes"]), helper.make_node("Add", ["value", "value"], ["next"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, [1, 64]),
        ],
        [
            helper.make_tensor_value_info("goes", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, [1, 64]),
        ],
    )
    turns = helper.make_tensor("turns", TensorProto.INT64, [], [2**40])
    graph = helper.make_graph(
        [helper.make_node("Loop", ["turns", "", "image"], ["sums"], body=body)],
        "endless",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 64])],
        [helper.make_tensor_value_info("sums", TensorProto.FLOAT, [1, 64])],
        [turns],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
