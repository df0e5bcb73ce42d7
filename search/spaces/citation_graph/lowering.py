"""From the layers of a graph neural network to its operator graph, without ONNX: what ``from_onnx`` reads from the
exported file of ``graphs.networks.exported``, operator by operator in the order of its code."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import NamedTuple

from graphs.graph_size import GraphSize
from graphs.networks.design import LayerDesign
from latency.operators import builders
from latency.operators.operator import Operator, OperatorGraph, Shape

_ACTIVATIONS = {**builders.ACTIVATION_KINDS, "softplus": "Softplus", "relu6": "Clip"}


class _Tensor(NamedTuple):
    """What an operator reads or writes."""

    producer: int
    shape: Shape

    def viewed(self, *shape: int) -> _Tensor:
        """The same numbers in another shape."""
        return _Tensor(self.producer, shape)


def lower(designs: Sequence[LayerDesign], size: GraphSize) -> OperatorGraph:
    """The operators of these layers on a graph of this size."""
    shape = (size.nodes, size.features)
    lowering = _Lowering(size)
    features = _Tensor(-1, shape)
    for design in designs:
        features = lowering.layer(design, features)
    return OperatorGraph(tuple(lowering.operators), tuple(lowering.inputs), (shape,))


class _Lowering:
    """Collects the operators; the methods are those of ``graphs.networks``."""

    def __init__(self, size: GraphSize) -> None:
        self.size = size
        self.operators: list[Operator] = []
        self.inputs: list[tuple[int, ...]] = []

    def layer(self, design: LayerDesign, features: _Tensor) -> _Tensor:
        """``ExportedLayer`` and the activation behind it."""
        values = self._apply(_matrix_product(features.shape, design.heads * design.width), features)
        values = values.viewed(self.size.nodes, design.heads, design.width)
        learned = design.attention in _SCORES
        aggregated = self._attended(design, values) if learned else self._fixed(design, values)
        if not design.concatenated and design.heads > 1:
            aggregated = self._reduce("ReduceMean", aggregated, 1)
        output = self._times(aggregated.viewed(self.size.nodes, design.outputs), (design.outputs,), kind="Add")
        return output if design.activation == "linear" else self._activate(_ACTIVATIONS[design.activation], output)

    def _fixed(self, design: LayerDesign, values: _Tensor) -> _Tensor:
        sent = self._gather(values, self.size.messages)
        if design.attention == "gcn" or design.aggregation != "max":
            sent = self._times(sent, (self.size.messages, 1, 1))
        joined = self._tree(design.aggregation, sent)
        return self._times(joined, (self.size.nodes, 1, 1), kind="Div") if design.aggregation == "mean" else joined

    def _attended(self, design: LayerDesign, values: _Tensor) -> _Tensor:
        nodes, messages = self.size.nodes, self.size.messages
        scores = _SCORES[design.attention](self, values)
        below = self._elementwise("Sub", scores, self._apply(_largest(scores.shape), scores))
        shares = self._activate("Exp", self._activate("Clip", below))
        halved = self._times(shares, (messages, 1))
        totals = self._tree("sum", halved)
        sent = self._gather(values, messages)
        if design.aggregation == "mean":
            totals = self._times(totals, (nodes, 1))
        weights = shares if design.aggregation == "max" else halved
        sent = self._elementwise("Mul", sent, weights.viewed(*weights.shape, 1))
        joined = self._tree(design.aggregation, sent)
        return self._elementwise("Div", joined, totals.viewed(*totals.shape, 1))

    def gat(self, values: _Tensor) -> _Tensor:
        """Scores of ``attention.Gat``."""
        receiver, sender = self._dot(values), self._dot(values)
        return self._leaky(receiver, sender)

    def symmetric_gat(self, values: _Tensor) -> _Tensor:
        """Scores of ``attention.SymmetricGat``."""
        receiver, sender = self._dot(values), self._dot(values)
        return self._elementwise("Add", self._leaky(receiver, sender), self._leaky(receiver, sender))

    def cosine(self, values: _Tensor) -> _Tensor:
        """Scores of ``attention.Cosine``."""
        return self._reduce("ReduceSum", self._elementwise("Mul", self._weighed(values), self._weighed(values)), 2)

    def linear(self, values: _Tensor) -> _Tensor:
        """Scores of ``attention.Linear``."""
        return self._gather(self._activate("Tanh", self._dot(values)), self.size.messages)

    def general_linear(self, values: _Tensor) -> _Tensor:
        """Scores of ``attention.GeneralLinear``."""
        both = self._activate("Tanh", self._elementwise("Add", self._weighed(values), self._weighed(values)))
        return self._reduce("ReduceSum", self._times(both, (1, 1, both.shape[-1])), 2)

    def _weighed(self, values: _Tensor) -> _Tensor:
        return self._gather(self._times(values, (1, *values.shape[1:])), self.size.messages)

    def _dot(self, values: _Tensor) -> _Tensor:
        return self._reduce("ReduceSum", self._times(values, (1, *values.shape[1:])), 2)

    def _leaky(self, receiver: _Tensor, sender: _Tensor) -> _Tensor:
        gathered = self._gather(receiver, self.size.messages), self._gather(sender, self.size.messages)
        return self._activate("LeakyRelu", self._elementwise("Add", *gathered))

    def _tree(self, aggregation: str, messages: _Tensor) -> _Tensor:
        kind = "Max" if aggregation == "max" else "Add"
        for rows in self.size.levels:
            messages = self._elementwise(kind, self._gather(messages, rows), self._gather(messages, rows))
        return messages

    def _gather(self, source: _Tensor, rows: int) -> _Tensor:
        return self._apply(_gather(source.shape, rows), source)

    def _times(self, source: _Tensor, weights: Shape, kind: str = "Mul") -> _Tensor:
        return self._apply(_with_weights(kind, source.shape, weights), source)

    def _reduce(self, kind: str, source: _Tensor, axis: int) -> _Tensor:
        return self._apply(_reduction(kind, source.shape, axis), source)

    def _activate(self, kind: str, source: _Tensor) -> _Tensor:
        return self._apply(builders.activation(kind, source.shape), source)

    def _elementwise(self, kind: str, first: _Tensor, second: _Tensor) -> _Tensor:
        return self._apply(builders.elementwise(kind, (first.shape, second.shape)), first, second)

    def _apply(self, operator: Operator, *sources: _Tensor) -> _Tensor:
        self.operators.append(operator)
        self.inputs.append(tuple(source.producer for source in sources))
        return _Tensor(len(self.operators) - 1, operator.output_shapes[0])


_SCORES = {
    "gat": _Lowering.gat,
    "sym-gat": _Lowering.symmetric_gat,
    "cos": _Lowering.cosine,
    "linear": _Lowering.linear,
    "gen-linear": _Lowering.general_linear,
}


@lru_cache(maxsize=1 << 12)
def _matrix_product(shape: Shape, outputs: int) -> Operator:
    weights = (shape[1], outputs)
    attributes, output = (("weight_1", weights),), (shape[0], outputs)
    flops = 2 * shape[1] * prod(output)
    return builders.operator("MatMul", attributes, (shape,), (output,), parameters=prod(weights), flops=flops)


@lru_cache(maxsize=1 << 12)
def _gather(shape: Shape, rows: int) -> Operator:
    attributes = (("axis", 0), ("weight_1", (rows,)))
    return builders.operator("Gather", attributes, (shape,), ((rows, *shape[1:]),), parameters=rows)


@lru_cache(maxsize=1 << 12)
def _with_weights(kind: str, shape: Shape, weights: Shape) -> Operator:
    output = builders.broadcast((shape, weights))
    return builders.operator(kind, (("weight_1", weights),), (shape,), (output,), parameters=prod(weights))


@lru_cache(maxsize=1 << 12)
def _reduction(kind: str, shape: Shape, axis: int) -> Operator:
    output = (*shape[:axis], *shape[axis + 1 :])
    return builders.operator(kind, (("axes", (axis,)), ("keepdims", 0)), (shape,), (output,))


@lru_cache(maxsize=1 << 12)
def _largest(shape: Shape) -> Operator:
    return builders.operator("ReduceMax", (("axes", (0,)),), (shape,), ((1, *shape[1:]),))
