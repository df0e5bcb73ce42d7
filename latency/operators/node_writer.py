"""Collects the ONNX nodes and random weights of a model that is made from an operator graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from foundation.errors import UserError
from latency.operators.operator import AttributeValue, Operator, Shape

OPSET = 17
IR_VERSION = 9
"""Opset 17 goes with IR 8; 9 is read by every runtime in use (Silu and friends need no newer one)."""

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

    def places(self, name: str, shape: Shape, side: int) -> str:
        """Adds whole numbers from 0 to ``side - 1``; returns their name."""
        return self.constant(name, self._rng.integers(side, size=shape))

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


def write_generic(writer: NodeWriter, operator: Operator, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Any other operator: attributes as they are, constant inputs from ``constant_<slot>`` and ``weight_<slot>``."""
    if not onnx.defs.has(operator.kind, OPSET, ""):
        raise UserError(
            f"operator {operator.kind}",
            seen=f"no such operator in ONNX opset {OPSET}",
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
