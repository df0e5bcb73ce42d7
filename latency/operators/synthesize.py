"""From an operator graph back to an ONNX model, so that a net can be measured without torch and without training.

Weights are random; what a kernel costs does not depend on them as long as the numbers stay in a normal range.
``from_onnx(to_model(graph)) == graph``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from foundation.errors import UserError
from latency.operators.activation_writers import INNER_TENSORS
from latency.operators.node_writer import NodeWriter, write_generic
from latency.operators.node_writers import WRITERS
from latency.operators.operator import Operator, OperatorGraph, Shape
from latency.operators.views import view_name


def to_model(graph: OperatorGraph, *, seed: int = 0) -> onnx.ModelProto:
    """An ONNX model with these operators and random weights.

    The graph's inputs are tensors ``input``, ``input_1``, ..., of float32 where the operator that reads them takes it;
    operator ``i`` writes ``t{i}`` (further outputs ``t{i}_1``, ...); outputs are those of the operators that nothing
    reads. Weights are normal, scaled as by He et al. (2015, section 2.2), so that numbers neither overflow nor become
    denormal.

    Raises:
        UserError: an operator cannot be written from what a graph knows.
    """
    writer = NodeWriter(np.random.default_rng(seed))
    wiring = _Wiring(graph)
    listed: list[str] = []
    for position, operator in enumerate(graph.operators):
        sources, before = wiring.sources(position, writer), len(writer.weights)
        write, outputs = WRITERS.get(operator.kind, write_generic), _output_names(position, operator)
        if operator.weights_are_inputs:
            write(writer, operator.with_constant_weights(), sources, outputs)
            # Scalars are the limits of a Clip.
            listed += [name for name, array in list(writer.weights.items())[before:] if array.ndim]
        else:
            write(writer, operator, sources, outputs)
    model = writer.model(
        [
            *(
                _value(name, shape, wiring.type_of(name, writer))
                for name, shape in zip(wiring.graph_inputs, graph.input_shapes, strict=True)
            ),
            *(_listed(name, writer.weights[name]) for name in listed),
        ],
        [
            helper.make_empty_tensor_value_info(name)
            for position in graph.sinks
            for name in _output_names(position, graph.operators[position])
        ],
    )
    return _with_output_types(model)


def with_tensor_names(graph: OperatorGraph) -> OperatorGraph:
    """The same graph with ``Operator.tensors`` as ``to_model`` names them, to join operator times to it."""
    return replace(
        graph,
        operators=tuple(
            replace(
                operator,
                tensors=(*(f"t{position}_{part}" for part in INNER_TENSORS), *_output_names(position, operator)),
            )
            for position, operator in enumerate(graph.operators)
        ),
    )


def single_operator(operator: Operator) -> OperatorGraph:
    """A graph with this operator only."""
    shapes = operator.input_shapes
    return OperatorGraph((operator,), (tuple(-1 - slot for slot in range(len(shapes))),), shapes)


class _Wiring:
    """Names of the tensors that each operator reads."""

    def __init__(self, graph: OperatorGraph) -> None:
        self._graph = graph
        self._taken: set[str] = set()
        self._viewed: dict[str, str] = {}
        self.graph_inputs = [f"input_{k}" if k else "input" for k in range(len(graph.input_shapes))]

    def sources(self, consumer: int, writer: NodeWriter) -> list[str]:
        """Tensors in the order of the consumer's inputs; a Reshape is written where it sees another shape."""
        names = []
        shapes = self._graph.operators[consumer].input_shapes
        for slot, (source, shape) in enumerate(zip(self._graph.inputs[consumer], shapes, strict=True)):
            name, made = self._source(source, shape)
            if made != shape:
                target = view_name(consumer, slot)
                sides = writer.constant(f"{target}_shape", np.array(shape, np.int64))
                writer.node("Reshape", [name, sides], [target])
                self._viewed[target] = name
                name = target
            names.append(name)
        return names

    def type_of(self, graph_input: str, writer: NodeWriter) -> int:
        """As which it is read."""
        views = (view for view, name in self._viewed.items() if name == graph_input)
        return next((writer.types[name] for name in (graph_input, *views) if name in writer.types), TensorProto.FLOAT)

    def _source(self, source: int, shape: Shape) -> tuple[str, Shape]:
        if source < 0:
            return self.graph_inputs[-1 - source], self._graph.input_shapes[-1 - source]
        producer = self._graph.operators[source]
        outputs = list(zip(_output_names(source, producer), producer.output_shapes, strict=True))
        fitting = [output for output in outputs if output[1] == shape] or outputs
        free = [output for output in fitting if output[0] not in self._taken]
        chosen = (free or fitting)[0]
        self._taken.add(chosen[0])
        return chosen


def _output_names(position: int, operator: Operator) -> list[str]:
    return [f"t{position}_{slot}" if slot else f"t{position}" for slot in range(len(operator.output_shapes))]


def _value(name: str, shape: Iterable[int], kind: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, list(shape))


def _listed(name: str, array: NDArray[np.generic]) -> onnx.ValueInfoProto:
    return _value(name, array.shape, helper.np_dtype_to_tensor_dtype(array.dtype))


def _with_output_types(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fills in the outputs' types and shapes and checks the model."""
    try:
        inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
        for target, source in zip(model.graph.output, inferred.graph.output, strict=True):
            target.CopyFrom(source)
        onnx.checker.check_model(model)
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError) as error:
        raise UserError(
            "operator graph",
            seen=str(error)[:200],
            expected="operators that ONNX can express from their attributes and shapes",
            remedy="measure the original file instead",
        ) from error
    return model
