"""Collects the ONNX nodes and random weights of a model that is made from an operator graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import sqrt

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from devices.shape_inputs import setting_slots
from foundation.errors import UserError
from latency.operators.element_types import ElementTypes
from latency.operators.operator import AttributeValue, Operator, Shape

OPSET = 17
IR_VERSION = 9
"""Opset 17 goes with IR 8; 9 is read by every runtime in use (Silu and friends need no newer one)."""

_BYTES = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)

Writer = Callable[["NodeWriter", Operator, Sequence[str], Sequence[str]], None]


class NodeWriter:
    """Collects nodes and weights."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, NDArray[np.generic]] = {}
        self.types: dict[str, int] = {}
        """Element types of the tensors that are read as something else than float32."""

    def node(
        self, kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: AttributeValue | None
    ) -> None:
        """Adds a node named after its first output; an output without a name is left out."""
        node = helper.make_node(kind, list(inputs), list(outputs), name=f"n_{first_name(outputs)}")
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

    def places(self, name: str, shape: Shape, side: int) -> str:
        """Adds whole numbers from 0 to ``side - 1``; returns their name."""
        return self.constant(name, self._rng.integers(side, size=shape))

    def random(self, name: str, shape: Shape, kind: int) -> str:
        """Adds weights of any element type; returns their name."""
        if kind == onnx.TensorProto.FLOAT:
            return self.normal(name, shape, fan_in=shape[-2] if len(shape) > 1 else 2)
        dtype = helper.tensor_dtype_to_np_dtype(kind)
        limits = np.iinfo(dtype) if kind in _BYTES else None
        # Others than bytes are truth values, or indices, of which 0 and 1 fit nearly every side.
        low, high = (limits.min, limits.max + 1) if limits else (0, 2)
        return self.constant(name, self._rng.integers(low, high, shape).astype(dtype))

    def constant(self, name: str, array: NDArray[np.generic]) -> str:
        """Adds an initializer; returns its name."""
        self.weights[name] = array
        return name

    def model(self, inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[onnx.ValueInfoProto]) -> onnx.ModelProto:
        """The model of these nodes and weights."""
        weights = [numpy_helper.from_array(array, name) for name, array in self.weights.items()]
        graph = helper.make_graph(self.nodes, "operators", inputs, outputs, weights)
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="latseg")


def first_name(outputs: Sequence[str]) -> str:
    """Name of the first output that is not left out."""
    return next(filter(None, outputs))


def write_generic(writer: NodeWriter, operator: Operator, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Any other operator: attributes as they are, constant inputs from ``constant_<slot>`` and ``weight_<slot>``.

    Raises:
        UserError: ONNX has no such operator, or its sizes are computed in each run.
    """
    if not onnx.defs.has(operator.kind, OPSET, ""):
        raise UserError(
            f"operator {operator.kind}",
            seen=f"no such operator in ONNX opset {OPSET}",
            expected="standard operators where a model is to be made from a graph",
            remedy="measure the original file instead",
        )
    constants = {name: value for name, value in operator.attributes if name.startswith(("constant_", "weight_"))}
    slots = {int(name.rsplit("_", 1)[1]): name for name in constants}
    known = {slot: constants[name] if name.startswith("constant_") else None for slot, name in slots.items()}
    types = ElementTypes(operator.kind, OPSET, known)
    arguments = _arguments(slots, inputs)
    _refuse_computed_sizes(operator.kind, arguments, {slot for slot in range(len(arguments)) if slot not in slots})
    for slot, name in enumerate(arguments):
        if slot in slots:
            arguments[slot] = f"{first_name(outputs)}_{name}"
            _add_constant(writer, arguments[slot], constants[name], types.of(slot), known=known[slot] is not None)
        else:
            writer.types.setdefault(name, types.of(slot))
    attributes = {name: value for name, value in operator.attributes if name not in constants}
    writer.node(operator.kind, arguments, outputs, **attributes)


def _arguments(slots: Mapping[int, str], inputs: Sequence[str]) -> list[str]:
    """What is read by slot: constants, and between them the inputs in their order."""
    waiting = list(inputs)
    arguments: list[str] = []
    while waiting or any(slot >= len(arguments) for slot in slots):
        name = slots.get(len(arguments))
        arguments.append(name if name is not None else waiting.pop(0) if waiting else "")
    return arguments


def _refuse_computed_sizes(kind: str, arguments: Sequence[str], computed: set[int]) -> None:
    """Random numbers in the place of sizes would make another operator."""
    node = helper.make_node(kind, arguments, [])
    if any(slot < len(arguments) and arguments[slot] and slot in computed for slot in setting_slots(node)):
        raise UserError(
            f"operator {kind}",
            seen="sizes that are computed in each run",
            expected="sizes that are constants, as a model of it alone has them",
            remedy="measure the whole model instead: `latseg measure`",
        )


def _add_constant(writer: NodeWriter, name: str, value: AttributeValue, kind: int, *, known: bool) -> None:
    if known:
        writer.constant(name, np.array(value, helper.tensor_dtype_to_np_dtype(kind)))
        return
    assert isinstance(value, tuple)
    writer.random(name, value, kind)
