"""Evaluates the nodes that do not depend on the values of the input, until every shape of a model is known.

Exported networks compute sizes at run time (``Shape -> Gather -> Concat -> Resize``); a predictor that does not know
the decoder's shapes cannot predict its cost. Folding and shape inference alternate: with each folded size, inference
finds the shape of one more tensor, whose ``Shape`` can then be folded.

Of large constants only shape and type are kept, so that neither time nor memory depend on their numbers.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.inliner import inline_local_functions

from devices.model_inputs import data_inputs, known_shapes, propagates, remove_inner_shapes
from devices.shape_inputs import setting_slots
from foundation.errors import UserError
from latency.operators.constants import MAX_KNOWN, Constants
from latency.operators.folding_cost import written_numbers
from latency.operators.operator import Shape

_MAX_SHOWN = 1024
"""Shape inference gets the values of constants up to this size; of larger ones the type is enough."""
_MAX_FOLDED = 1 << 24
"""Maximum of the numbers that a constant node reads and writes, where it writes more than one of its inputs has; a
larger node stays an operator."""
_MAX_EVALUATED_BYTES = 1 << 28
"""Of all evaluated constants of a model together."""
_MAX_SECONDS = 20.0
"""Of the processor. Folding takes tenths of a second for nets of some hundred nodes."""
_CONTROL_FLOW = frozenset({"If", "Loop", "Scan", "SequenceMap"})
_VIEWS = frozenset({"Reshape", "Squeeze", "Unsqueeze"})
"""They move no data: whatever their sizes depend on, nothing is computed in a run if the data are constant."""
_RANDOM = frozenset(
    {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial"}
)


@dataclass(slots=True)
class FoldedModel:
    """The nodes that remain, with every constant and every tensor's shape."""

    nodes: list[onnx.NodeProto]
    constants: Mapping[str, NDArray[np.generic]]
    """Of large ones shape and type are right and every number is zero."""
    shapes: dict[str, Shape]
    outputs: list[str]


def fold(model: onnx.ModelProto, values: Mapping[str, NDArray[np.generic]] | None = None) -> FoldedModel:
    """Folds a model whose inputs are static.

    Args:
        model: ``devices.model_limits.check_size`` accepts it.
        values: of inputs whose numbers decide sizes.

    Raises:
        UserError: control flow, or folding takes too long.
    """
    if model.functions:
        model = inline_local_functions(model)
    _refuse_control_flow(model.graph.node)
    folding = _Folding(model, values or {})
    every = nodes = list(model.graph.node)
    while True:
        folding.infer(nodes)
        left = [node for node in nodes if not folding.folds(node)]
        if len(left) == len(nodes):
            break
        nodes = left
    constants, computed = folding.constants.arrays, folding.computed
    outputs = [each.name for each in model.graph.output if each.name not in constants or each.name in computed]
    remaining = {id(node) for node in nodes}
    nodes = [node for node in every if id(node) in remaining or computed.intersection(node.output)]
    kept, read = _needed(nodes, outputs, computed)
    constants = {name: array for name, array in constants.items() if name not in read or name not in computed}
    return FoldedModel(kept, constants, folding.shapes, outputs)


def _refuse_control_flow(nodes: Sequence[onnx.NodeProto]) -> None:
    for node in nodes:
        if node.op_type in _CONTROL_FLOW and node.domain in ("", "ai.onnx"):
            raise UserError(
                f"operator {node.op_type} (node {node.name!r})",
                seen="control flow",
                expected="a graph without branches and loops, whose latency does not depend on the image",
                remedy="export the network with them unrolled",
            )


class _Folding:
    """The constants, shapes and types known so far, and the limits."""

    def __init__(self, model: onnx.ModelProto, values: Mapping[str, NDArray[np.generic]]) -> None:
        self._model = model
        self._opsets = list(model.opset_import)
        self._start = time.process_time()
        self._evaluated_bytes = 0
        self._types: dict[str, int] = {}
        self.constants = Constants()
        for tensor in model.graph.initializer:
            self.constants.add_tensor(tensor.name, tensor)
        for sparse in model.graph.sparse_initializer:
            self.constants.add_unknown(sparse.values.name, tuple(sparse.dims), sparse.values.data_type)
        for name, value in values.items():
            self.constants.add(name, value)
        self.computed = set(values)
        """What follows from given inputs: known here, but computed by a runtime in each run."""
        self.shapes: dict[str, Shape] = {}

    def infer(self, nodes: Sequence[onnx.NodeProto]) -> None:
        """Updates shapes and types of all tensors that inference can determine; of large weights it gets the type."""
        arrays, graph = self.constants.arrays, self._model.graph
        used = {name for node in nodes for name in node.input}
        inputs = [value for value in data_inputs(graph) if value.name not in arrays]
        passed_on = {value.name for value in inputs}  # an output that is an input hides its shape
        outputs = [value for value in graph.output if value.name not in passed_on]
        skeleton = helper.make_graph(list(nodes), "skeleton", inputs, outputs)
        skeleton.value_info.extend(value for value in graph.value_info if value.name not in arrays)
        for name in sorted(used & arrays.keys()):
            array = arrays[name]
            if array.size <= _MAX_SHOWN and self.constants.is_known(name):
                skeleton.initializer.append(numpy_helper.from_array(np.asarray(array), name))
            else:
                kind = self.constants.types[name]
                skeleton.input.append(helper.make_tensor_value_info(name, kind, array.shape))
        version = max(4, min(self._model.ir_version, onnx.IR_VERSION))
        inferred = _inferred(helper.make_model(skeleton, opset_imports=self._opsets, ir_version=version)).graph
        self.shapes = {name: tuple(array.shape) for name, array in arrays.items()} | known_shapes(inferred)
        self._types = {
            value.name: value.type.tensor_type.elem_type for value in (*inferred.value_info, *inferred.output)
        }

    def folds(self, node: onnx.NodeProto) -> bool:
        """Adds the node's outputs to the constants if they are constant."""
        if time.process_time() - self._start > _MAX_SECONDS:
            raise UserError(
                "model", seen=f"more than {_MAX_SECONDS:g} s of computing its shapes", expected="fixed shapes",
                remedy="simplify the network (fixed input size, constants folded) and export it again",
            )  # fmt: skip
        inputs = [name for name in node.input if name]
        if node.domain in ("", "ai.onnx") and node.op_type in ("Shape", "Size", "Constant"):
            return self._folds_directly(node, inputs)
        arrays = self.constants.arrays
        if node.op_type in _RANDOM or any(name not in arrays for name in inputs):
            return False
        if self.computed.intersection(inputs) and not self._views_constant(node):
            evaluated = self._evaluates(node, inputs)
            self.computed.update(node.output if evaluated else ())
            return evaluated
        return self._evaluates(node, inputs) or self._keeps_shapes(node, inputs)

    def _views_constant(self, node: onnx.NodeProto) -> bool:
        standard = node.domain in ("", "ai.onnx")
        return standard and node.op_type in _VIEWS and node.input[0] not in self.computed

    def _folds_directly(self, node: onnx.NodeProto, inputs: Sequence[str]) -> bool:
        if node.op_type == "Constant":
            return self.constants.add_attribute(node.output[0], node.attribute[0])
        if inputs[0] not in self.shapes:
            return False
        shape = self.shapes[inputs[0]]
        attributes = {attribute.name: attribute.i for attribute in node.attribute}
        sides = shape[attributes.get("start", 0) : attributes.get("end")]
        value = np.array(sides, np.int64) if node.op_type == "Shape" else np.array(prod(shape), np.int64)
        self.constants.add(node.output[0], value)
        return True

    def _evaluates(self, node: onnx.NodeProto, inputs: Sequence[str]) -> bool:
        if not inputs or not all(map(self.constants.is_known, inputs)):
            return False
        feeds = {name: self.constants.arrays[name] for name in inputs}
        try:
            written = written_numbers(node, [feeds[name] for name in inputs])
        except (ArithmeticError, IndexError, TypeError, ValueError):
            return False
        if written is None or written > MAX_KNOWN or self._evaluated_bytes > _MAX_EVALUATED_BYTES:
            return False
        values = _evaluate(node, feeds, self._opsets)
        for name, value in values.items():
            self._evaluated_bytes += value.nbytes
            self.constants.add(name, value)
        return bool(values)

    def _keeps_shapes(self, node: onnx.NodeProto, inputs: Sequence[str]) -> bool:
        """Its outputs become constants of unknown values if inference knows their shapes and types."""
        outputs = [name for name in node.output if name]
        standard = node.domain in ("", "ai.onnx")
        if not standard or not outputs or not all(self._types.get(name) and name in self.shapes for name in outputs):
            return False
        read = [self.constants.arrays[name].size for name in inputs]
        written = sum(prod(self.shapes[name]) for name in outputs)
        if written > max(read, default=0) and sum(read) + written > _MAX_FOLDED:
            return False
        for name in outputs:
            self.constants.add_unknown(name, self.shapes[name], self._types[name])
        return True


def _inferred(skeleton: onnx.ModelProto) -> onnx.ModelProto:
    """Uses the shapes noted in the file (for operators that ONNX does not define), unless they are stale."""
    data_prop = propagates(skeleton)
    try:
        return onnx.shape_inference.infer_shapes(skeleton, strict_mode=True, data_prop=data_prop)
    except onnx.shape_inference.InferenceError:
        remove_inner_shapes(skeleton.graph)
        return onnx.shape_inference.infer_shapes(skeleton, strict_mode=True, data_prop=data_prop)


def _evaluate(
    node: onnx.NodeProto, feeds: dict[str, NDArray[np.generic]], opsets: Sequence[onnx.OperatorSetIdProto]
) -> dict[str, NDArray[np.generic]]:
    """Outputs of one node by ONNX's reference implementation; none where that fails."""
    from onnx.reference import ReferenceEvaluator

    outputs = [name for name in node.output if name]
    inputs = [helper.make_empty_tensor_value_info(name) for name in feeds]
    graph = helper.make_graph([node], "constant", inputs, [helper.make_empty_tensor_value_info(o) for o in outputs])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = ReferenceEvaluator(helper.make_model(graph, opset_imports=list(opsets))).run(None, feeds)
    except Exception:  # an operator that cannot be evaluated stays an operator
        return {}
    return {name: np.asarray(result) for name, result in zip(outputs, results, strict=True)}


def _needed(
    nodes: Sequence[onnx.NodeProto], outputs: Sequence[str], computed: Collection[str]
) -> tuple[list[onnx.NodeProto], set[str]]:
    """The nodes on which an output depends, and the tensors that they read as data.

    What is ``computed`` from given inputs and read as a setting, such as the size of a Resize, counts as a constant.
    """
    read = set(outputs)
    kept: list[onnx.NodeProto] = []
    for node in reversed(nodes):
        if read.intersection(node.output):
            settings = setting_slots(node)
            read.update(name for slot, name in enumerate(node.input) if slot not in settings or name not in computed)
            kept.append(node)
    return kept[::-1], read
