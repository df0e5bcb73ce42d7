"""Constructors of operators: the one place where FLOPs, bytes and parameters are counted.

``from_onnx`` and ``search.spaces.lowering`` both use these, so that a file and a plan give equal graphs.
Conventions: shapes are batch x channels x height x width; a number is float32 (4 bytes); a multiply-add is two FLOPs;
bias and fused activation are not counted; what does no arithmetic (concatenation, nearest resize) counts one for each
output number.
Results are cached: operators are immutable, and the nets of a space share most of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from math import prod
from typing import ParamSpec, cast

from foundation.errors import UserError
from latency.operators.operator import AttributeValue, Operator, Shape

NUMBER_BYTES = 4
_CACHE = 1 << 16
Parameters = ParamSpec("Parameters")

ACTIVATION_KINDS: dict[str, str] = {
    "relu": "Relu",
    "hswish": "HardSwish",
    "hsigmoid": "HardSigmoid",
    "sigmoid": "Sigmoid",
    "clip": "Clip",
    "leaky_relu": "LeakyRelu",
    "prelu": "PRelu",
    "silu": "Silu",
    "tanh": "Tanh",
    "elu": "Elu",
}
"""Name of an activation to the ONNX operator type (``Silu`` stands for x * Sigmoid(x)). Slopes and limits do not change
what an activation costs and are not kept: ReLU6 is ``clip``."""


def _cached(build: Callable[Parameters, Operator]) -> Callable[Parameters, Operator]:
    # The type of ``lru_cache`` forgets the arguments.
    return cast("Callable[Parameters, Operator]", lru_cache(maxsize=_CACHE)(build))


def operator(
    kind: str,
    attributes: Iterable[tuple[str, AttributeValue]],
    input_shapes: Sequence[Shape],
    output_shapes: Sequence[Shape],
    *,
    parameters: int = 0,
    flops: int | None = None,
) -> Operator:
    """Any operator; without ``flops`` one for each number of the outputs."""
    written = sum(map(prod, output_shapes))
    return Operator(
        kind=kind,
        attributes=tuple(sorted(attributes)),
        input_shapes=tuple(input_shapes),
        output_shapes=tuple(output_shapes),
        parameters=parameters,
        flops=written if flops is None else flops,
        bytes_read=NUMBER_BYTES * (sum(map(prod, input_shapes)) + parameters),
        bytes_written=NUMBER_BYTES * written,
    )


@_cached
def convolution(
    input_shape: Shape,
    out_channels: int,
    *,
    kernel: tuple[int, ...],
    strides: tuple[int, ...] = (1, 1),
    dilations: tuple[int, ...] = (1, 1),
    group: int = 1,
    activation: str = "none",
    output_hw: tuple[int, ...] | None = None,
    slopes: int = 0,
    transposed: bool = False,
) -> Operator:
    """Convolution with bias (batch normalisation folded) and activation.

    Without ``output_hw`` the padding is ``dilation * (kernel - 1) // 2``: every side is divided by its stride, rounded
    up; of a transposed convolution it is multiplied by its stride. ``slopes`` is the number of trained slopes of a
    PReLU.
    """
    if output_hw is None:
        sides = zip(input_shape[2:], strides, strict=True)
        output_hw = tuple(side * stride if transposed else -(-side // stride) for side, stride in sides)
    batch, in_channels = input_shape[0], input_shape[1]
    weights = in_channels * out_channels // group * prod(kernel)
    # Each output position of a convolution, each input position of a transposed one, meets every weight once.
    positions = batch * prod(input_shape[2:] if transposed else output_hw)
    attributes: list[tuple[str, AttributeValue]] = [
        ("activation", activation),
        ("dilations", dilations),
        ("group", group),
        ("kernel", kernel),
        ("strides", strides),
    ]
    return operator(
        "ConvTranspose" if transposed else "Conv",
        attributes,
        (input_shape,),
        ((batch, out_channels, *output_hw),),
        parameters=weights + out_channels + slopes,
        flops=2 * positions * weights,
    )


transposed_convolution = partial(convolution, transposed=True)
"""The same arguments."""


@_cached
def global_average_pool(shape: Shape) -> Operator:
    """Mean over height and width, which stay as 1 x 1; one FLOP for each input number."""
    output_shape = (*shape[:2], *(1 for _ in shape[2:]))
    return operator("GlobalAveragePool", (), (shape,), (output_shape,), flops=prod(shape))


@_cached
def max_pool(shape: Shape, kernel: int, stride: int) -> Operator:
    """Largest number of each window, with padding ``kernel // 2``: every side is divided by ``stride``, rounded up."""
    rank = len(shape) - 2
    attributes: dict[str, AttributeValue] = {"kernel_shape": (kernel,) * rank, "pads": (kernel // 2,) * 2 * rank}
    if stride > 1:
        attributes["strides"] = (stride,) * rank
    output_shape = (*shape[:2], *(-(-side // stride) for side in shape[2:]))
    flops = kernel**rank * prod(output_shape)
    return operator("MaxPool", attributes.items(), (shape,), (output_shape,), flops=flops)


@_cached
def _elementwise(kind: str, shapes: tuple[Shape, ...]) -> Operator:
    return operator(kind, (), shapes, (broadcast(shapes),))


def elementwise(kind: str, shapes: Sequence[Shape]) -> Operator:
    """``Add``, ``Mul``, ... of activations, broadcast as in numpy.

    Raises:
        UserError: the shapes do not broadcast.
    """
    return _elementwise(kind, tuple(shapes))


@_cached
def _concat(shapes: tuple[Shape, ...], axis: int) -> Operator:
    output_shape = list(shapes[0])
    output_shape[axis] = sum(shape[axis] for shape in shapes)
    return operator("Concat", (("axis", axis),), shapes, (tuple(output_shape),))


def concat(shapes: Sequence[Shape], axis: int = 1) -> Operator:
    """Concatenation, of channels by default."""
    return _concat(tuple(shapes), axis)


@_cached
def resize(shape: Shape, output_shape: Shape, mode: str = "linear") -> Operator:
    """Resize to ``output_shape``; mode ``linear`` (``bilinear`` is the same), ``nearest`` or ``cubic``.

    How source positions are rounded is not kept: it does not change the cost.
    """
    mode = {"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode)
    # Separable interpolation between two neighbours in each direction touches four; cubic sixteen.
    multiply_adds = {"linear": 4, "cubic": 16}.get(mode, 0)
    flops = 2 * multiply_adds * prod(output_shape) if multiply_adds else None
    return operator("Resize", (("mode", mode),), (shape,), (output_shape,), flops=flops)


@_cached
def depth_to_space(shape: Shape, blocksize: int) -> Operator:
    """Pixel shuffle."""
    batch, channels, height, width = shape
    output_shape = (batch, channels // blocksize**2, height * blocksize, width * blocksize)
    return operator("DepthToSpace", (("blocksize", blocksize),), (shape,), (output_shape,))


@_cached
def activation(kind: str, shape: Shape, *, slopes: int = 0) -> Operator:
    """An activation that is a kernel of its own; ``kind`` is a key or a value of ``ACTIVATION_KINDS``."""
    return operator(ACTIVATION_KINDS.get(kind, kind), (), (shape,), (shape,), parameters=slopes)


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """Shape of an element-wise operation.

    Raises:
        UserError: the shapes do not broadcast.
    """
    rank = max(map(len, shapes))
    result = [1] * rank
    for shape in shapes:
        for axis, side in enumerate(shape, start=rank - len(shape)):
            if side != 1 and result[axis] not in (1, side):
                raise UserError(
                    "element-wise operator",
                    seen=" and ".join(map(str, shapes)),
                    expected="shapes that broadcast",
                    remedy="check the layers that feed it",
                )
            result[axis] = max(result[axis], side) if side else 0
    return tuple(result)
