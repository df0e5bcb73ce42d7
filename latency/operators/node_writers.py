"""How each kind of operator is written as ONNX nodes with random weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod, sqrt

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from devices.errors import UserError
from latency.operators.operator import AttributeValue, Operator, Shape

Writer = Callable[["NodeWriter", Operator, Sequence[str], Sequence[str]], None]


class NodeWriter:
    """Collects nodes and weights."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, NDArray[np.generic]] = {}

    def node(
        self, kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: AttributeValue | None
    ) -> None:
        """Adds a node named after its first output."""
        node = helper.make_node(kind, list(inputs), list(outputs), name=f"n_{outputs[0]}")
        given = {name: value for name, value in attributes.items() if value is not None}
        node.attribute.extend(helper.make_attribute(name, value) for name, value in sorted(given.items()))
        self.nodes.append(node)

    def normal(self, name: str, shape: Shape, fan_in: int) -> str:
        """Adds normal weights of variance 2 / fan_in; returns their name."""
        scale = sqrt(2.0 / max(1, fan_in))
        return self.constant(name, self._rng.standard_normal(shape, dtype=np.float32) * np.float32(scale))

    def uniform(self, name: str, shape: Shape, low: float, high: float) -> str:
        """Adds weights that are uniform between two limits; returns their name."""
        return self.constant(name, self._rng.uniform(low, high, shape).astype(np.float32))

    def constant(self, name: str, array: NDArray[np.generic]) -> str:
        """Adds an initializer; returns its name."""
        self.weights[name] = array
        return name


def write_convolution(writer: NodeWriter, operator: Operator, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Convolution or transposed convolution with bias, and its activation as a node of its own."""
    kernel, strides, dilations = (_ints(operator, name) for name in ("kernel", "strides", "dilations"))
    group = operator.attribute("group", 1)
    assert isinstance(group, int)
    channels, out_channels = operator.input_shapes[0][1], operator.output_shapes[0][1]
    transposed = operator.kind == "ConvTranspose"
    first, second = (channels, out_channels) if transposed else (out_channels, channels)
    fan_in = channels // group * prod(kernel) // (prod(strides) if transposed else 1)
    name, activation = outputs[0], str(operator.attribute("activation", "none"))
    linear = name if activation == "none" else f"{name}_linear"
    weight = writer.normal(f"{name}_weight", (first, second // group, *kernel), fan_in)
    bias = writer.uniform(f"{name}_bias", (out_channels,), -0.1, 0.1)
    writer.node(
        operator.kind,
        [inputs[0], weight, bias],
        [linear],
        kernel_shape=kernel,
        strides=strides,
        dilations=dilations,
        group=group,
        **_padding(operator, kernel, strides, dilations),
    )
    if activation != "none":
        slopes = operator.parameters - out_channels - prod((first, second // group, *kernel))
        write_activation(writer, activation, linear, name, slopes=slopes, rank=len(kernel) + 2)


def write_activation(
    writer: NodeWriter, activation: str, source: str, target: str, *, slopes: int = 0, rank: int = 4
) -> None:
    """The nodes of one activation, as torch exports them."""
    match activation:
        case "hsigmoid":
            writer.node("HardSigmoid", [source], [target], alpha=1 / 6, beta=0.5)
        case "clip":
            limits = [("low", 0.0), ("high", 6.0)]
            names = [writer.constant(f"{target}_{name}", np.array(value, np.float32)) for name, value in limits]
            writer.node("Clip", [source, *names], [target])
        case "prelu":
            shape = (slopes, *(1,) * (rank - 2)) if slopes > 1 else (1,)
            writer.node("PRelu", [source, writer.uniform(f"{target}_slope", shape, 0.1, 0.3)], [target])
        case "silu":
            writer.node("Sigmoid", [source], [f"{target}_gate"])
            writer.node("Mul", [source, f"{target}_gate"], [target])
        case _:
            kinds = {"relu": "Relu", "hswish": "HardSwish", "sigmoid": "Sigmoid", "tanh": "Tanh", "elu": "Elu"}
            writer.node({**kinds, "leaky_relu": "LeakyRelu"}[activation], [source], [target])


def _write_lone_activation(activation: str) -> Writer:
    def write(writer: NodeWriter, operator: Operator, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        rank = len(operator.input_shapes[0])
        write_activation(writer, activation, inputs[0], outputs[0], slopes=operator.parameters, rank=rank)

    return write


def write_resize(writer: NodeWriter, operator: Operator, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Resize as torch exports it: half-pixel where it interpolates, asymmetric and rounded down where it does not."""
    mode = str(operator.attribute("mode", "linear"))
    shape, output_shape = operator.input_shapes[0], operator.output_shapes[0]
    scales = [target / source for source, target in zip(shape, output_shape, strict=True)]
    # A scale that float32 cannot hold may round to another size.
    exact = zip(scales, shape, output_shape, strict=True)
    as_scales = all(float(np.float32(scale)) * source == target for scale, source, target in exact)
    values = np.array(scales, np.float32) if as_scales else np.array(output_shape, np.int64)
    name = writer.constant(f"{outputs[0]}_scales" if as_scales else f"{outputs[0]}_sizes", values)
    nearest = mode == "nearest"
    writer.node(
        "Resize",
        [inputs[0], "", name] if as_scales else [inputs[0], "", "", name],
        outputs,
        mode=mode,
        coordinate_transformation_mode="asymmetric" if nearest else "half_pixel",
        nearest_mode="floor" if nearest else None,
        cubic_coeff_a=-0.75 if mode == "cubic" else None,
    )


def write_batch_normalization(
    writer: NodeWriter, operator: Operator, inputs: Sequence[str], outputs: Sequence[str]
) -> None:
    """Batch normalisation that no convolution takes up."""
    shape = (operator.input_shapes[0][1],)
    limits = [("scale", 0.5, 1.5), ("shift", -0.1, 0.1), ("mean", -0.1, 0.1), ("variance", 0.5, 1.5)]
    names = [writer.uniform(f"{outputs[0]}_{name}", shape, low, high) for name, low, high in limits]
    writer.node("BatchNormalization", [inputs[0], *names], outputs)


def write_generic(writer: NodeWriter, operator: Operator, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Any other operator: attributes as they are, constant inputs from ``constant_<slot>`` and ``weight_<slot>``."""
    if not onnx.defs.has(operator.kind):
        raise UserError(
            f"operator {operator.kind}",
            seen="no such operator in ONNX",
            expected="standard operators where a model is to be made from a graph",
            remedy="measure the original file instead",
        )
    waiting = list(inputs)
    constants = {name: value for name, value in operator.attributes if name.startswith(("constant_", "weight_"))}
    slots = {int(name.rsplit("_", 1)[1]): name for name in constants}
    arguments: list[str] = []
    while waiting or any(slot >= len(arguments) for slot in slots):
        name = slots.get(len(arguments))
        if name is None:
            arguments.append(waiting.pop(0) if waiting else "")
        else:
            arguments.append(_constant(writer, f"{outputs[0]}_{name}", name, constants[name]))
    attributes = {name: value for name, value in operator.attributes if name not in constants}
    writer.node(operator.kind, arguments, outputs, **attributes)


def _constant(writer: NodeWriter, full_name: str, name: str, value: AttributeValue) -> str:
    if name.startswith("weight_"):
        assert isinstance(value, tuple)
        return writer.normal(full_name, value, fan_in=value[-2] if len(value) > 1 else 2)
    return writer.constant(full_name, np.array(value, np.float32 if isinstance(value, float) else np.int64))


def _ints(operator: Operator, name: str) -> tuple[int, ...]:
    value = operator.attribute(name, ())
    assert isinstance(value, tuple)
    return value


def _padding(operator: Operator, kernel: Shape, strides: Shape, dilations: Shape) -> dict[str, tuple[int, ...]]:
    """Padding that yields the output's shape, symmetric where it can be."""
    before, after, extra = [], [], []
    sides = zip(operator.input_shapes[0][2:], operator.output_shapes[0][2:], kernel, strides, dilations, strict=True)
    transposed = operator.kind == "ConvTranspose"
    for source, target, size, stride, dilation in sides:
        reach = dilation * (size - 1) + 1
        if transposed:
            surplus = (source - 1) * stride + reach - target
            even = surplus % 2 if surplus > 0 and stride > 1 else 0
            extra.append(even if surplus > 0 else -surplus)
            total = max(0, surplus) + even
        else:
            total = max(0, (target - 1) * stride + reach - source)
            # One more leaves the output as it is where the stride has room for it.
            total += total % 2 if (source + total + 1 - reach) // stride + 1 == target else 0
        before.append(total // 2)
        after.append(total - total // 2)
    padding = {"pads": (*before, *after)}
    return {**padding, "output_padding": tuple(extra)} if any(extra) else padding


WRITERS: dict[str, Writer] = {
    "Conv": write_convolution,
    "ConvTranspose": write_convolution,
    "Resize": write_resize,
    "BatchNormalization": write_batch_normalization,
    "HardSigmoid": _write_lone_activation("hsigmoid"),
    "Clip": _write_lone_activation("clip"),
    "PRelu": _write_lone_activation("prelu"),
    "Silu": _write_lone_activation("silu"),
}
