"""Models for the tests of measuring."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from latseg.testing.graph_builder import GraphBuilder


def mobile_net() -> onnx.ModelProto:
    """Every operator of a small segmentation net: 1 x 3 x 64 x 64 to 1 x 2 x 64 x 64."""
    net = GraphBuilder(seed=1)
    x = net.node("HardSwish", [net.convolution("image", 3, 16, kernel=3, stride=2)])
    x = net.inverted_residual(x, 16, 24, expanded=64, stride=2)
    quarter = net.inverted_residual(x, 24, 24, expanded=72)
    x = net.inverted_residual(quarter, 24, 40, expanded=96, kernel=5, stride=2, activation="HardSwish", gate=True)
    x = net.inverted_residual(x, 40, 40, expanded=120, kernel=5, activation="HardSwish", gate=True)
    x = net.node("Relu", [net.node("Add", [net.convolution(x, 40, 40), x])])
    x = net.upsample(net.node("Relu", [net.convolution(x, 40, 32)]))
    x = net.node("Concat", [x, quarter], axis=1)
    x = net.node("Relu", [net.convolution(x, 56, 32)])
    x = net.node("ConvTranspose", [x, net.weight(32, 16, 2, 2, fan_in=128), net.weight(16, fan_in=200)], strides=[2, 2])
    x = net.convolution(net.node("Relu", [x]), 16, 8, kernel=3)
    return net.finish(net.node("DepthToSpace", [x], blocksize=2), (1, 3, 64, 64), (1, 2, 64, 64))


def small_net(width: int = 8, *, size: int | str = 32, seed: int = 2) -> onnx.ModelProto:
    """Two convolutions; ``size`` may be the name of a dynamic dimension."""
    net = GraphBuilder(seed=seed)
    x = net.node("Relu", [net.convolution("image", 3, width, kernel=3)])
    return net.finish(net.convolution(x, width, 2, kernel=3), (1, 3, size, size), (1, 2, size, size))


def heavy_net() -> onnx.ModelProto:
    """Three convolutions of 3 x 3 with 256 channels: work that a runtime would like to spread over threads."""
    net = GraphBuilder(seed=3)
    x = "image"
    for _ in range(3):
        x = net.convolution(x, 256, 256, kernel=3)
    return net.finish(x, (1, 256, 16, 16), (1, 256, 16, 16))


def raw_model(kind: str, *, opset: int = 17, domain: str = "", inputs: bool = True) -> onnx.ModelProto:
    """One node of any kind, valid or not."""
    x = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 8, 8])
    y = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 3, 8, 8])
    node = helper.make_node(kind, ["image"], ["logits"], domain=domain)
    if not inputs:
        value = helper.make_tensor("image", TensorProto.FLOAT, [1, 3, 8, 8], np.zeros(192, np.float32))
        graph = helper.make_graph([node], "net", [], [y], [value])
    else:
        graph = helper.make_graph([node], "net", [x], [y])
    opsets = [helper.make_opsetid("", opset)]
    if domain:
        opsets.append(helper.make_opsetid(domain, 1))
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def saved(model: onnx.ModelProto, path: Path) -> Path:
    """Writes the model."""
    path.write_bytes(model.SerializeToString())
    return path
