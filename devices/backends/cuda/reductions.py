"""ONNX operators that sum over dimensions, in torch (ONNX specification, "operators")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name
from torch import Tensor

from devices.backends.cuda.node import Arguments, Compute, Node, first, pair


def _reduction(function: Callable[..., Tensor]) -> Compute:
    def reduce(node: Node, arguments: Arguments) -> Tensor:
        x = first(arguments)
        axes = node.given("axes", arguments, 1)
        if not axes and node.get("noop_with_empty_axes", 0):
            return x
        return function(x, tuple(axes or range(x.dim())), keepdim=bool(node.get("keepdims", 1)))

    return reduce


def _global(function: Callable[..., Tensor]) -> Compute:
    def pool(_: Node, arguments: Arguments) -> Tensor:
        x = first(arguments)
        return function(x, tuple(range(2, x.dim())), keepdim=True)

    return pool


def _argument(function: Callable[..., Tensor]) -> Compute:
    def find(node: Node, arguments: Arguments) -> Tensor:
        if node.get("select_last_index", 0):
            raise node.refuse("select_last_index")
        return function(arguments[0], node.get("axis", 0), keepdim=bool(node.get("keepdims", 1)))

    return find


def _softmax(function: Callable[..., Tensor]) -> Compute:
    def normalise(node: Node, arguments: Arguments) -> Tensor:
        x = first(arguments)
        if node.opset >= 13:
            return function(x, node.get("axis", -1))
        # Before opset 13 over all dimensions from the axis on.
        return function(x.flatten(node.get("axis", 1)), -1).reshape(x.shape)

    return normalise


def _batch_normalisation(node: Node, arguments: Arguments) -> Tensor:
    _, scale, shift, mean, variance = arguments
    if node.get("training_mode", 0):
        raise node.refuse("training_mode")
    return F.batch_norm(first(arguments), mean, variance, scale, shift, eps=node.get("epsilon", 1e-5))


def _instance_normalisation(node: Node, arguments: Arguments) -> Tensor:
    (x, scale), shift = pair(arguments), arguments[2]
    return F.instance_norm(x, weight=scale, bias=shift, eps=node.get("epsilon", 1e-5))


def _layer_normalisation(node: Node, arguments: Arguments) -> Tensor:
    x, scale, shift = first(arguments), arguments[1], (*arguments, None)[2]
    return F.layer_norm(x, x.shape[node.get("axis", -1) :], scale, shift, node.get("epsilon", 1e-5))


def _product(node: Node, arguments: Arguments) -> Tensor:
    (one, other), more = pair(arguments), (*arguments, None)[2]
    one = one.transpose(0, 1) if node.get("transA", 0) else one
    other = other.transpose(0, 1) if node.get("transB", 0) else other
    alpha, beta = node.get("alpha", 1.0), node.get("beta", 1.0)
    if more is None:
        return alpha * (one @ other) if alpha != 1 else one @ other
    return torch.addmm(more, one, other, alpha=alpha, beta=beta)


def _matrix_product(_: Node, arguments: Arguments) -> Tensor:
    one, other = pair(arguments)
    return one @ other


_AMAX: dict[str, Any] = {"Mean": torch.mean, "Sum": torch.sum, "Max": torch.amax, "Min": torch.amin}

REDUCTIONS: dict[str, Compute] = {
    **{f"Reduce{name}": _reduction(function) for name, function in _AMAX.items()},
    "ArgMax": _argument(torch.argmax),
    "ArgMin": _argument(torch.argmin),
    "BatchNormalization": _batch_normalisation,
    "Gemm": _product,
    "GlobalAveragePool": _global(torch.mean),
    "GlobalMaxPool": _global(torch.amax),
    "InstanceNormalization": _instance_normalisation,
    "LayerNormalization": _layer_normalisation,
    "LogSoftmax": _softmax(torch.log_softmax),
    "MatMul": _matrix_product,
    "Softmax": _softmax(torch.softmax),
}
"""By kind of operator."""
