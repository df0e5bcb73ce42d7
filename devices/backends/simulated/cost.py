"""Time of each operator on the simulated device: an invented machine, not a model of a real one.

A convolution costs its multiply-adds at a speed that depends on its kind, with channels rounded up to the vector width;
every other operator costs its memory traffic. Each kernel has a fixed overhead. A batch normalisation or activation
after a convolution is fused into it and costs little.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from devices.model_inputs import Shape, tensor_shapes
from devices.tensor_graph import TensorGraph

if TYPE_CHECKING:
    import onnx

_KERNEL_MS = 0.001
_DENSE_FLOPS_PER_MS = 240e6
_DEPTHWISE_FLOPS_PER_MS = 60e6
_BYTES_PER_MS = 30e6
_VECTOR = 8
"""Channels that are computed together: a layer with 9 channels costs as much as one with 16."""
_RESIZE_FACTOR = 2.5
_CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})
_FUSED = frozenset(
    {"BatchNormalization", "Relu", "Clip", "HardSwish", "HardSigmoid", "Sigmoid", "LeakyRelu", "PRelu", "Tanh"}
)
_FREE = frozenset({"Identity", "Dropout", "Constant", "Shape", "Reshape", "Flatten", "Squeeze", "Unsqueeze"})


@dataclass(frozen=True, slots=True)
class KernelCost:
    """One fused kernel of the simulated machine."""

    kind: str
    inputs: tuple[str, ...]
    output: str
    output_shape: Shape
    ms: float


def kernel_costs(model: onnx.ModelProto, input_shapes: Mapping[str, Shape]) -> tuple[KernelCost, ...]:
    """Kernels in the order of the model's nodes."""
    shapes = tensor_shapes(model, input_shapes)
    graph = TensorGraph(model.graph)
    kernels: list[KernelCost] = []
    made_by: dict[str, int] = {}
    for node in graph.nodes:
        data = [name for name in node.input if name and name not in graph.weights]
        if _fuses(graph, node, made_by, kernels):
            position = made_by[data[0]]
            kernels[position] = _extended(kernels[position], node, shapes)
        elif node.op_type in _FREE:
            continue
        else:
            position = len(kernels)
            output = node.output[0]
            cost = KernelCost(node.op_type, tuple(data), output, shapes.get(output, ()), _node_ms(node, shapes))
            kernels.append(cost)
        made_by[node.output[0]] = position
    return tuple(kernels)


def _fuses(graph: TensorGraph, node: onnx.NodeProto, made_by: Mapping[str, int], kernels: list[KernelCost]) -> bool:
    if node.op_type not in _FUSED or node.input[0] not in made_by:
        return False
    single_consumer = len(graph.consumers[node.input[0]]) == 1
    return single_consumer and kernels[made_by[node.input[0]]].kind in _CONVOLUTIONS


def _extended(kernel: KernelCost, node: onnx.NodeProto, shapes: Mapping[str, Shape]) -> KernelCost:
    share = 0.3 if node.op_type in {"HardSwish", "Sigmoid", "Tanh"} else 0.0
    ms = kernel.ms + share * _elements(kernel.output_shape) * 4 / _BYTES_PER_MS
    return KernelCost(kernel.kind, kernel.inputs, node.output[0], shapes.get(node.output[0], kernel.output_shape), ms)


def _node_ms(node: onnx.NodeProto, shapes: Mapping[str, Shape]) -> float:
    tensors = [shapes.get(name, ()) for name in (*node.input, *node.output) if name]
    memory_ms = sum(_elements(shape) for shape in tensors) * 4 / _BYTES_PER_MS
    if node.op_type in _CONVOLUTIONS:
        return _KERNEL_MS + max(_convolution_ms(node, shapes), memory_ms)
    return _KERNEL_MS + memory_ms * (_RESIZE_FACTOR if node.op_type in {"Resize", "Upsample"} else 1.0)


def _convolution_ms(node: onnx.NodeProto, shapes: Mapping[str, Shape]) -> float:
    weight, output = shapes.get(node.input[1], ()), shapes.get(node.output[0], ())
    if len(weight) < 3 or len(output) < 3:
        return 0.0
    group = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
    kernel = math.prod(weight[2:])
    transposed = node.op_type == "ConvTranspose"
    pixels = math.prod(shapes.get(node.input[0], output)[2:] if transposed else output[2:])
    if group > 1 and weight[1] == 1:
        return 2 * _padded(output[1]) * kernel * pixels / _DEPTHWISE_FLOPS_PER_MS
    multiply_adds = _padded(weight[0]) * _padded(weight[1]) * kernel * pixels
    return 2 * multiply_adds / _DENSE_FLOPS_PER_MS


def _padded(channels: int) -> int:
    return math.ceil(channels / _VECTOR) * _VECTOR


def _elements(shape: Shape) -> int:
    return math.prod(shape) if shape else 0
