"""How each kind of operator is written as ONNX nodes with random weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from latency.operators.activation_writers import write_activation, write_gelu, write_single_activation
from latency.operators.node_writer import NodeWriter, Writer, write_generic
from latency.operators.operator import Operator, Shape

_RECURRENT_RANKS = {1: 3, 2: 3, 3: 2, 4: 1, 5: 3, 6: 3, 7: 2}
"""Dimensions of the inputs by slot: weights of input and state, bias, lengths, first states, peepholes."""
_EVERY_STEP = 4
"""Dimensions of the output of every step; that of the last one has fewer."""


def write_convolution(writer: NodeWriter, operator: Operator, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Convolution or transposed convolution with bias, and its activation as a node of its own."""
    kernel, strides, dilations = (_ints(operator, name) for name in ("kernel", "strides", "dilations"))
    if not kernel:  # its weights are an input
        write_generic(writer, operator, inputs, outputs)
        return
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


def write_split(writer: NodeWriter, operator: Operator, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Sizes are those of the outputs."""
    axis = operator.attribute("axis", 0)
    assert isinstance(axis, int)
    sizes = np.array([shape[axis] for shape in operator.output_shapes], np.int64)
    writer.node("Split", [inputs[0], writer.constant(f"{outputs[0]}_sizes", sizes)], outputs, axis=axis)


def write_reduce_sum(writer: NodeWriter, operator: Operator, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Its axes are an input since opset 13, unlike those of the other reductions; without any it sums everything."""
    attributes = tuple(("constant_1" if name == "axes" else name, value) for name, value in operator.attributes)
    write_generic(writer, replace(operator, attributes=attributes), inputs, outputs)


def write_recurrent(writer: NodeWriter, operator: Operator, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """A layer of LSTM, GRU or RNN: what is left out of its inputs and outputs follows from the shapes of the others."""
    constant = {int(name[-1]) for name, _ in operator.attributes if name.startswith(("constant_", "weight_"))}
    waiting = list(zip(inputs[1:], operator.input_shapes[1:], strict=True))
    names = [inputs[0]]
    for slot, rank in _RECURRENT_RANKS.items():
        if waiting and slot not in constant:
            names.append(waiting.pop(0)[0] if len(waiting[0][1]) == rank else "")
    every_step = len(operator.output_shapes[0]) == _EVERY_STEP
    write_generic(writer, operator, names, outputs if every_step else ["", *outputs])


def write_gather(writer: NodeWriter, operator: Operator, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Constant indices are random places along the axis; a graph knows only how many they are."""
    shape, axis = operator.attribute("weight_1", ()), operator.attribute("axis", 0)
    if not shape:
        write_generic(writer, operator, inputs, outputs)
        return
    assert isinstance(shape, tuple)
    assert isinstance(axis, int)
    indices = writer.places(f"{outputs[0]}_indices", shape, operator.input_shapes[0][axis])
    writer.node(operator.kind, [inputs[0], indices], outputs, axis=axis)


def _ints(operator: Operator, name: str) -> tuple[int, ...]:
    value = operator.attribute(name, ())
    assert isinstance(value, tuple)
    return value


def _padding(operator: Operator, kernel: Shape, strides: Shape, dilations: Shape) -> dict[str, tuple[int, ...]]:
    """Padding that gives the output shape, symmetric where possible."""
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
    "Gather": write_gather,
    "Gelu": write_gelu,
    "ReduceSum": write_reduce_sum,
    "Split": write_split,
    "HardSigmoid": write_single_activation("hsigmoid"),
    "Clip": write_single_activation("clip"),
    "PRelu": write_single_activation("prelu"),
    "Silu": write_single_activation("silu"),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), write_recurrent),
}
