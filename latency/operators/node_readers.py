"""From a fused node to an operator: which attributes and constants decide its cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from latency.operators import builders
from latency.operators.fusion import ACTIVATIONS, is_plain_convolution
from latency.operators.nodes import Node
from latency.operators.operator import AttributeValue, Operator, Shape

Reader = Callable[[Node, Sequence[Shape]], Operator]

_MAX_LIST = 16


def read_operator(node: Node, output_shapes: Sequence[Shape]) -> Operator:
    """The operator of a node; an unknown kind is kept by its name, attributes and shapes."""
    reader = _READERS.get(node.kind, _generic) if not node.domain else _generic
    return reader(node, output_shapes)


def _convolution(node: Node, output_shapes: Sequence[Shape]) -> Operator:
    if not is_plain_convolution(node):
        return _generic(node, output_shapes, flops=_convolution_flops(node, output_shapes[0]))
    weights, output_shape = node.constants[1], output_shapes[0]
    _check_convolution(node, tuple(weights.shape), output_shape)
    ones = (1,) * (len(output_shape) - 2)
    return builders.convolution(
        node.input_shape,
        output_shape[1],
        kernel=tuple(weights.shape[2:]),
        strides=_ints(node, "strides", ones),
        dilations=_ints(node, "dilations", ones),
        group=_int(node, "group", 1),
        activation=node.activation,
        output_hw=output_shape[2:],
        slopes=node.slopes,
        transposed=node.kind == "ConvTranspose",
    )


def _check_convolution(node: Node, weights: Shape, output_shape: Shape) -> None:
    """Checks what shape inference does not.

    Raises:
        ValueError: weights for another number of channels, or a kernel larger than what it slides over.
    """
    channels = weights[0] if node.kind == "ConvTranspose" else weights[1] * _int(node, "group", 1)
    if node.input_shape[1] != channels:
        raise ValueError(f"{node.kind} {node.name!r} has weights for {channels} channels, not {node.input_shape[1]}")
    if min(output_shape) < 1:
        raise ValueError(f"{node.kind} {node.name!r} has the output shape {output_shape}")


def _integer_convolution(node: Node, output_shapes: Sequence[Shape]) -> Operator:
    return _generic(node, output_shapes, flops=_convolution_flops(node, output_shapes[0]))


def _convolution_flops(node: Node, output_shape: Shape) -> int | None:
    """Of a convolution of integers, or whose weights are no constant (as after a DequantizeLinear)."""
    weights = _shape(node, 3 if node.kind == "QLinearConv" else 1)
    if weights is None or 0 not in node.input_shapes:
        return None
    transposed = node.kind == "ConvTranspose"
    positions = prod(node.input_shapes[0][2:] if transposed else output_shape[2:])
    return 2 * output_shape[0] * positions * prod(weights)


def _activation(node: Node, output_shapes: Sequence[Shape]) -> Operator:
    if list(node.inputs) != [0]:
        return _generic(node, output_shapes)
    slopes = node.constants[1].size if node.kind == "PRelu" else 0
    return builders.activation(node.kind, node.input_shape, slopes=slopes)


def _global_average_pool(node: Node, output_shapes: Sequence[Shape]) -> Operator:
    del output_shapes  # without its kept dimensions a mean is the same kernel
    return builders.global_average_pool(node.input_shape)


def _resize(node: Node, output_shapes: Sequence[Shape]) -> Operator:
    return builders.resize(node.input_shape, output_shapes[0], str(node.attributes.get("mode", "nearest")))


def _depth_to_space(node: Node, output_shapes: Sequence[Shape]) -> Operator:
    del output_shapes
    return builders.depth_to_space(node.input_shape, _int(node, "blocksize", 1))


def _concat(node: Node, output_shapes: Sequence[Shape]) -> Operator:
    axis = _int(node, "axis", 1) % len(output_shapes[0])
    if node.constants:
        node.attributes["axis"] = axis
        return _generic(node, output_shapes)
    return builders.concat(tuple(node.input_shapes.values()), axis)


def _batch_normalization(node: Node, output_shapes: Sequence[Shape]) -> Operator:
    if list(node.inputs) != [0]:
        return _generic(node, output_shapes)
    # Mean and variance fold into scale and shift.
    parameters, written = 2 * node.constants[1].size, prod(output_shapes[0])
    return builders.operator(
        node.kind, (), (node.input_shape,), output_shapes, parameters=parameters, flops=2 * written
    )


def _matrix_product(node: Node, output_shapes: Sequence[Shape]) -> Operator:
    first = _shape(node, 0)
    if not first:
        return _generic(node, output_shapes)
    inner = first[0] if node.kind == "Gemm" and node.attributes.get("transA") else first[-1]
    return _generic(node, output_shapes, flops=2 * inner * prod(output_shapes[0]))


def _recurrent(node: Node, output_shapes: Sequence[Shape]) -> Operator:
    # LSTM, GRU, RNN: in each step every sequence meets the weights W (slot 1) and R (slot 2) of every direction.
    sequences, inner, recurrent = (_shape(node, slot) for slot in range(3))
    if sequences is None or inner is None or recurrent is None:
        return _generic(node, output_shapes)
    return _generic(node, output_shapes, flops=2 * prod(sequences[:2]) * (prod(inner) + prod(recurrent)))


def _pool(node: Node, output_shapes: Sequence[Shape]) -> Operator:
    window = prod(_ints(node, "kernel_shape", (1,)))
    return _generic(node, output_shapes, flops=window * prod(output_shapes[0]))


def _generic(node: Node, output_shapes: Sequence[Shape], flops: int | None = None) -> Operator:
    """Attributes as they are; constants as ``constant_<slot>`` (values) or ``weight_<slot>`` (shape, parameters)."""
    attributes = dict(node.attributes)
    parameters = 0
    for slot, array in node.constants.items():
        value = _plain(array)
        attributes[f"weight_{slot}" if value is None else f"constant_{slot}"] = (
            tuple(array.shape) if value is None else value
        )
        parameters += array.size if value is None else 0
    kind = f"{node.domain}.{node.kind}" if node.domain else node.kind
    shapes = tuple(node.input_shapes.values())
    return builders.operator(kind, attributes.items(), shapes, output_shapes, parameters=parameters, flops=flops)


def _shape(node: Node, slot: int) -> Shape | None:
    """Of an input, constant or not; None where the node has none there."""
    constant = node.constants.get(slot)
    return node.input_shapes.get(slot) if constant is None else tuple(constant.shape)


def _plain(array: NDArray[np.generic]) -> AttributeValue | None:
    """The value of a constant that is a setting rather than a weight."""
    whole = np.issubdtype(array.dtype, np.integer)
    if array.ndim == 0 and (whole or np.issubdtype(array.dtype, np.floating)):
        return int(array) if whole else float(array)
    return tuple(map(int, array)) if whole and array.ndim == 1 and array.size <= _MAX_LIST else None


def _int(node: Node, name: str, default: int) -> int:
    value = node.attributes.get(name, default)
    return value if isinstance(value, int) else default


def _ints(node: Node, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    value = node.attributes.get(name, default)
    return value if isinstance(value, tuple) else default


_READERS: dict[str, Reader] = {
    **dict.fromkeys(ACTIVATIONS, _activation),
    "Conv": _convolution,
    "ConvTranspose": _convolution,
    "GlobalAveragePool": _global_average_pool,
    "Resize": _resize,
    "Upsample": _resize,
    "DepthToSpace": _depth_to_space,
    "Concat": _concat,
    "BatchNormalization": _batch_normalization,
    "MatMul": _matrix_product,
    "Gemm": _matrix_product,
    "QLinearConv": _integer_convolution,
    "ConvInteger": _integer_convolution,
    "QLinearMatMul": _matrix_product,
    "MatMulInteger": _matrix_product,
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _recurrent),
    "MaxPool": _pool,
    "AveragePool": _pool,
}
