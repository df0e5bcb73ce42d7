"""The operator graph of an ncnn model, from its ``.param`` text (ncnn wiki, "operators").

Kinds that ONNX has as well get its names, so that one predictor can learn from both. Weights are not read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import prod

from foundation.errors import UserError
from latency.operators import builders
from latency.operators.ncnn_param import NcnnLayer, broken, read_layers
from latency.operators.operator import Operator, OperatorGraph, Shape

_ALIASES = ("Split", "Noop", "Dropout")
"""Layers that only name a blob anew."""
_ACTIVATIONS = ("none", "relu", "leaky_relu", "clip", "sigmoid", "mish", "hswish")
_BINARY = ("Add", "Sub", "Mul", "Div")
_ELTWISE = ("Mul", "Add", "Max")
_DETECTIONS = ("DetectionOutput", "YoloDetectionOutput", "Yolov3DetectionOutput")
_DETECTION = (1, 6)
"""One row; how many there are depends on the picture."""
_NAMES = {
    "Crop": "Slice",
    "Permute": "Transpose",
    "ReLU": "Relu",
    "HardSwish": "HardSwish",
    "Swish": "Silu",
    "Padding": "Pad",
    "GELU": "Gelu",
    "LayerNorm": "LayerNormalization",
    "MultiHeadAttention": "Attention",
}
_INT8_BYTES, _FLOAT_BYTES = 1, 4
_SAME = (-233, -234)
"""Padding that divides every side by the stride."""


def from_ncnn(text: str) -> OperatorGraph:
    """Reads a ``.param`` text.

    Args:
        text: with the shape hints that ``ncnnoptimize`` writes, or of layers whose shapes follow from their inputs.

    Raises:
        UserError: not such a text, or a shape that it does not tell.
    """
    net = _Net()
    for layer in read_layers(text):
        try:
            net.add(layer)
        except (IndexError, ValueError, ZeroDivisionError) as error:
            raise broken(f"layer {layer.name!r} ({layer.kind}): {error}") from error
    if not net.operators:
        raise broken("no layer that computes anything")
    return OperatorGraph(tuple(net.operators), tuple(net.inputs), tuple(net.input_shapes))


@dataclass
class _Net:
    operators: list[Operator] = field(default_factory=list)
    inputs: list[tuple[int, ...]] = field(default_factory=list)
    input_shapes: list[Shape] = field(default_factory=list)
    blobs: dict[str, tuple[int, Shape]] = field(default_factory=dict)
    """Producer and shape."""
    constants: set[str] = field(default_factory=set)

    def add(self, layer: NcnnLayer) -> None:
        unknown = [name for name in layer.inputs if name not in self.blobs and name not in self.constants]
        if unknown:
            raise broken(f"layer {layer.name!r} ({layer.kind}) reads {unknown[0]!r}, which no earlier layer writes")
        known = [self.blobs[name] for name in layer.inputs if name in self.blobs]
        if layer.kind == "Input":
            shape = layer.shapes[0] if layer.shapes else (1, *(layer.integer(each, 0) for each in (2, 1, 0)))
            if min(shape) < 1:
                raise _unknown_shape(layer)
            self.input_shapes.append(shape)
            self.blobs[layer.outputs[0]] = (-len(self.input_shapes), shape)
        elif layer.kind == "MemoryData" or not known:
            self.constants.update(layer.outputs)
        elif layer.kind in _ALIASES:
            self.blobs.update(dict.fromkeys(layer.outputs, known[0]))
        else:
            shapes = [shape for _, shape in known]
            outputs = layer.shapes or _inferred(layer, shapes)
            self.operators.append(_operator(layer, shapes, outputs))
            self.inputs.append(tuple(producer for producer, _ in known))
            if len(outputs) != len(layer.outputs):
                raise _unknown_shape(layer)
            if any(side < 1 for shape in outputs for side in shape):
                raise ValueError(f"impossible shape {outputs}")
            made = [(len(self.operators) - 1, shape) for shape in outputs]
            self.blobs.update(zip(layer.outputs, made, strict=True))


def _operator(layer: NcnnLayer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> Operator:
    return _READERS.get(layer.kind, _generic)(layer, inputs, outputs)


def _generic(layer: NcnnLayer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> Operator:
    return builders.operator(_NAMES.get(layer.kind, layer.kind), (), inputs, outputs)


def _convolution(layer: NcnnLayer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> Operator:
    channels, group = layer.integer(0, 1), layer.integer(7, 1)
    if min(channels, group) < 1 or inputs[0][1] % group or channels % group:
        raise ValueError(f"{inputs[0][1]} to {channels} channels in {group} groups")
    operator = builders.convolution(
        inputs[0],
        channels,
        kernel=_sides(layer, 1, 1),
        strides=_sides(layer, 3, 1),
        dilations=_sides(layer, 2, 1),
        group=group,
        activation=_named(_ACTIVATIONS, layer.integer(9, 0)),
        output_hw=outputs[0][2:],
        transposed=layer.kind.startswith("Deconvolution"),
    )
    return _of_precision(operator, layer)


def _linear(layer: NcnnLayer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> Operator:
    written = layer.integer(0, 1)
    width = layer.integer(2, written) // written  # of the weights: all of the input, or the last side of rows
    rows = prod(inputs[0]) // width
    attributes = (("activation", _named(_ACTIVATIONS, layer.integer(9, 0))),)
    parameters, flops = (width + 1) * written, 2 * rows * width * written
    operator = builders.operator("Gemm", attributes, ((rows, width),), outputs, parameters=parameters, flops=flops)
    return _of_precision(operator, layer)


def _of_precision(operator: Operator, layer: NcnnLayer) -> Operator:
    """Quantised layers have the attribute ``precision`` and read less."""
    if not layer.integer(8, 0):
        return operator
    attributes = tuple(sorted((*operator.attributes, ("precision", "int8"))))
    numbers = operator.bytes_read // _FLOAT_BYTES
    return replace(operator, attributes=attributes, bytes_read=numbers * _INT8_BYTES)


def _pooling(layer: NcnnLayer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> Operator:
    if layer.integer(4, 0):
        return builders.global_average_pool(inputs[0])
    kernel = _sides(layer, 1, 1)
    attributes = (("kernel", kernel), ("strides", _sides(layer, 2, 1)))
    kind = "AveragePool" if layer.integer(0, 0) else "MaxPool"
    return builders.operator(kind, attributes, inputs, outputs, flops=prod(kernel) * prod(outputs[0]))


def _elementwise(layer: NcnnLayer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> Operator:
    kinds = _ELTWISE if layer.kind == "Eltwise" else _BINARY
    number = layer.integer(0, 0)
    return builders.operator(kinds[number] if 0 <= number < len(kinds) else layer.kind, (), inputs, outputs)


def _concat(layer: NcnnLayer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> Operator:
    return builders.operator("Concat", (("axis", layer.integer(0, 0) + 1),), inputs, outputs)


def _resize(layer: NcnnLayer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> Operator:
    mode = {1: "nearest", 2: "linear", 3: "cubic"}.get(layer.integer(0, 1), "linear")
    return builders.resize(inputs[0], outputs[0], mode)


_READERS: dict[str, Callable[[NcnnLayer, Sequence[Shape], Sequence[Shape]], Operator]] = {
    **dict.fromkeys(("Convolution", "ConvolutionDepthWise", "Deconvolution", "DeconvolutionDepthWise"), _convolution),
    "InnerProduct": _linear,
    "Pooling": _pooling,
    "BinaryOp": _elementwise,
    "Eltwise": _elementwise,
    "Concat": _concat,
    "Interp": _resize,
}


def _named(names: Sequence[str], number: int) -> str:
    if not 0 <= number < len(names):
        raise ValueError(f"number {number} of {', '.join(names)}")
    return names[number]


def _sides(layer: NcnnLayer, parameter: int, default: int) -> tuple[int, int]:
    """Height and width: parameters above ten are those of the height, where they differ."""
    width = layer.integer(parameter, default)
    return layer.integer(parameter + 10, width), width


def _inferred(layer: NcnnLayer, inputs: Sequence[Shape]) -> tuple[Shape, ...]:
    """Shapes of the outputs, of the layers that most small nets are made of."""
    shape = inputs[0] if inputs else ()
    if layer.kind in ("Convolution", "ConvolutionDepthWise"):
        if not _alike(layer, (4, 14, 15, 16)):
            raise _unknown_shape(layer)
        return ((*shape[:1], layer.integer(0, 1), *_windows(layer, shape, strides=3, dilations=2, padding=4)),)
    if layer.kind == "Pooling":
        rounded_down = layer.integer(5, 0) == 1 and not layer.integer(7, 0)
        if not layer.integer(4, 0) and not (rounded_down and _alike(layer, (3, 13, 14, 15))):
            raise _unknown_shape(layer)
        sides = (1, 1) if layer.integer(4, 0) else _windows(layer, shape, strides=2, dilations=0, padding=3)
        return ((*shape[:2], *sides),)
    if layer.kind == "Padding" and len(shape) == 4:
        top, bottom, left, right, front, behind = (layer.integer(each, 0) for each in (0, 1, 2, 3, 7, 8))
        return ((shape[0], shape[1] + front + behind, shape[2] + top + bottom, shape[3] + left + right),)
    if layer.kind in ("BinaryOp", "Eltwise"):
        return (builders.broadcast(inputs),)
    if layer.kind in ("ReLU", "HardSwish", "HardSigmoid", "Swish", "Sigmoid", "Softmax"):
        return (shape,)
    if layer.kind in _DETECTIONS:
        return (_DETECTION,)
    raise _unknown_shape(layer)


def _windows(layer: NcnnLayer, shape: Shape, *, strides: int, dilations: int, padding: int) -> tuple[int, ...]:
    """Height and width that a kernel yields (arguments are numbers of parameters; no dilation where zero)."""
    kernel, stride, pad = _sides(layer, 1, 1), _sides(layer, strides, 1), layer.integer(padding, 0)
    dilation = _sides(layer, dilations, 1) if dilations else (1, 1)
    if pad in _SAME:
        return tuple(-(-side // each) for side, each in zip(shape[2:], stride, strict=True))
    return tuple(
        (side + 2 * pad - wide * (size - 1) - 1) // each + 1
        for side, size, each, wide in zip(shape[2:], kernel, stride, dilation, strict=True)
    )


def _alike(layer: NcnnLayer, parameters: Sequence[int]) -> bool:
    """Whether all sides are padded by the same, the first of the parameters."""
    first = layer.integer(parameters[0], 0)
    return all(layer.integer(each, first) == first for each in parameters)


def _unknown_shape(layer: NcnnLayer) -> UserError:
    return UserError(
        "ncnn param file",
        seen=f"layer {layer.name!r} ({layer.kind}) without shapes",
        expected="shape hints",
        remedy="run `ncnnoptimize` with the input shape and read the file that it writes",
    )
