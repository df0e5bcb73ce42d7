"""ONNX operators that work number by number, in torch (ONNX specification, "operators")."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name
from torch import Tensor

from devices.backends.cuda.node import Arguments, Compute, Node, first, pair


def _plain(function: Callable[..., Tensor]) -> Compute:
    """Of the tensors alone."""
    return lambda _, arguments: function(*arguments)


def _chained(function: Callable[[Tensor, Tensor], Tensor]) -> Compute:
    """Of any number of tensors."""
    return lambda _, arguments: reduce(function, (x for x in arguments if x is not None))


def _with(function: Callable[..., Tensor], **defaults: Any) -> Compute:
    """Of a tensor and attributes, which are passed in this order."""
    return lambda node, arguments: function(arguments[0], *(node.get(name, value) for name, value in defaults.items()))


def _divide(_: Node, arguments: Arguments) -> Tensor:
    one, other = pair(arguments)
    return one / other if one.is_floating_point() else torch.div(one, other, rounding_mode="trunc")


def _clip(node: Node, arguments: Arguments) -> Tensor:
    x = first(arguments)
    low, high = node.given("min", arguments, 1), node.given("max", arguments, 2)
    return x if low is None and high is None else x.clamp(low, high)


def _cast(node: Node, arguments: Arguments) -> Tensor:
    from onnx import helper

    x = first(arguments)
    name = helper.tensor_dtype_to_np_dtype(node.get("to")).name
    return x.to(getattr(torch, name))


def _prelu(_: Node, arguments: Arguments) -> Tensor:
    x, slope = pair(arguments)
    return torch.where(x < 0, x * slope, x)


def _gelu(node: Node, arguments: Arguments) -> Tensor:
    x = first(arguments)
    return F.gelu(x, approximate=node.get("approximate", "none"))


ELEMENTWISE: dict[str, Compute] = {
    **{kind: _plain(getattr(torch, name)) for kind, name in {
        "Abs": "abs", "Add": "add", "And": "logical_and", "Ceil": "ceil", "Cos": "cos", "Equal": "eq", "Erf": "erf",
        "Exp": "exp", "Floor": "floor", "Greater": "gt", "GreaterOrEqual": "ge", "Less": "lt", "LessOrEqual": "le",
        "Log": "log", "Mul": "mul", "Neg": "neg", "Not": "logical_not", "Or": "logical_or", "Pow": "pow",
        "Reciprocal": "reciprocal", "Relu": "relu", "Round": "round", "Sigmoid": "sigmoid", "Sign": "sign",
        "Sin": "sin", "Sqrt": "sqrt", "Sub": "sub", "Tanh": "tanh", "Where": "where",
    }.items()},
    "Max": _chained(torch.maximum),
    "Min": _chained(torch.minimum),
    "Sum": _chained(torch.Tensor.add),
    "Cast": _cast,
    "Clip": _clip,
    "Div": _divide,
    "Elu": _with(F.elu, alpha=1.0),
    "Gelu": _gelu,
    "HardSigmoid": _with(lambda x, alpha, beta: (x * alpha + beta).clamp(0, 1), alpha=0.2, beta=0.5),
    "HardSwish": _plain(F.hardswish),
    "LeakyRelu": _with(F.leaky_relu, alpha=0.01),
    "Mish": _plain(F.mish),
    "PRelu": _prelu,
    "Softplus": _plain(F.softplus),
}  # fmt: skip
"""By kind of operator."""
