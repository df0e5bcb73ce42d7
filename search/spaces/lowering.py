"""From a plan to the operator graph, without ONNX."""

from __future__ import annotations

from functools import lru_cache

from latency.operators import builders
from latency.operators.operator import Operator, OperatorGraph, Shape
from segmentation.networks.plan import INPUT, Layer, Plan


def lower(plan: Plan, height: int, width: int) -> OperatorGraph:
    """The graph that ``from_onnx`` reads from the exported net at this input size: every layer is one operator."""
    input_shape: Shape = (1, plan.input_channels, height, width)
    made: dict[str, tuple[Shape, int]] = {INPUT: (input_shape, -1)}
    operators: list[Operator] = []
    inputs: list[tuple[int, ...]] = []
    for position, layer in enumerate(plan.layers):
        if len(layer.inputs) == 1:  # as nearly all layers: spares two loops
            shape, source = made[layer.inputs[0]]
            operator = _operator(layer, (shape,))
            inputs.append((source,) * layer.factor if layer.kind == "repeat" else (source,))
        else:
            operator = _operator(layer, tuple([made[name][0] for name in layer.inputs]))
            # What a tensor is resized like is no input of the operator: its size is known.
            read = layer.inputs[:1] if layer.kind == "resize_like" else layer.inputs
            inputs.append(tuple([made[name][1] for name in read]))
        operators.append(operator)
        made[layer.name] = operator.output_shapes[0], position
    return OperatorGraph(tuple(operators), tuple(inputs), (input_shape,))


def _operator(layer: Layer, shapes: tuple[Shape, ...]) -> Operator:
    shape = shapes[0]
    match layer.kind:
        case "conv" | "conv_transpose":
            kernel, stride, dilation = layer.kernel, layer.stride, layer.dilation
            group = shape[1] if layer.depthwise else 1
            activation = "clip" if layer.activation == "relu6" else layer.activation
            return _convolution(layer.kind, shape, layer.out_channels, kernel, stride, dilation, group, activation)
        case "max_pool" | "global_pool":
            return _pool(layer, shape)
        case "add" | "mul":
            return builders.elementwise(layer.kind.capitalize(), shapes)
        case "concat" | "repeat":
            return builders.concat(shapes * layer.factor)
        case "resize" | "resize_like":
            same = shapes[-1] if layer.kind == "resize_like" else shape
            larger = (*shape[:2], same[2] * layer.factor, same[3] * layer.factor)
            return builders.resize(shape, larger, layer.mode)
        case "pixel_shuffle":
            return builders.depth_to_space(shape, layer.factor)


def _pool(layer: Layer, shape: Shape) -> Operator:
    if layer.kind == "max_pool":
        return builders.max_pool(shape, layer.kernel, layer.stride)
    return builders.global_average_pool(shape)


@lru_cache(maxsize=1 << 16)
def _convolution(
    kind: str, shape: Shape, channels: int, kernel: int, stride: int, dilation: int, group: int, activation: str
) -> Operator:
    build = builders.convolution if kind == "conv" else builders.transposed_convolution
    return build(
        shape,
        channels,
        kernel=(kernel, kernel),
        strides=(stride, stride),
        dilations=(dilation, dilation),
        group=group,
        activation=activation,
    )
