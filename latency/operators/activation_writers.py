"""How activations are written as ONNX nodes: as torch exports them."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

from latency.operators.node_writer import NodeWriter, Writer, write_generic
from latency.operators.operator import Operator

INNER_TENSORS = ("linear", "scaled", "error", "shifted", "gate")
"""What is added to an operator's name for the tensors inside it."""


def write_activation(
    writer: NodeWriter, activation: str, source: str, target: str, *, slopes: int = 0, rank: int = 4
) -> None:
    """The nodes of one activation, as torch exports them."""
    match activation:
        case "hsigmoid":
            writer.node("HardSigmoid", [source], [target], alpha=1 / 6, beta=0.5)
        case "clip":
            limits = [("low", 0.0), ("high", 6.0)]
            names = [writer.constant(f"{target}_{name}", np.array(value, np.float32)) for name, value in limits]
            writer.node("Clip", [source, *names], [target])
        case "prelu":
            shape = (slopes, *(1,) * (rank - 2)) if slopes > 1 else (1,)
            writer.node("PRelu", [source, writer.uniform(f"{target}_slope", shape, 0.1, 0.3)], [target])
        case "silu":
            writer.node("Sigmoid", [source], [f"{target}_gate"])
            writer.node("Mul", [source, f"{target}_gate"], [target])
        case _:
            kinds = {"relu": "Relu", "hswish": "HardSwish", "sigmoid": "Sigmoid", "tanh": "Tanh", "elu": "Elu"}
            writer.node({**kinds, "leaky_relu": "LeakyRelu"}[activation], [source], [target])


def write_single_activation(activation: str) -> Writer:
    """The writer of an activation that is an operator of its own."""

    def write(writer: NodeWriter, operator: Operator, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        rank = len(operator.input_shapes[0])
        write_activation(writer, activation, inputs[0], outputs[0], slopes=operator.parameters, rank=rank)

    return write


def write_gelu(writer: NodeWriter, operator: Operator, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """The exact one as torch exports it; one node only since opset 20."""
    if operator.attributes:
        write_generic(writer, operator, inputs, outputs)
        return
    source, name = inputs[0], outputs[0]
    numbers = {"root": sqrt(2), "one": 1.0, "half": 0.5}
    root, one, half = (writer.constant(f"{name}_{key}", np.array(value, np.float32)) for key, value in numbers.items())
    writer.node("Div", [source, root], [f"{name}_scaled"])
    writer.node("Erf", [f"{name}_scaled"], [f"{name}_error"])
    writer.node("Add", [f"{name}_error", one], [f"{name}_shifted"])
    writer.node("Mul", [source, f"{name}_shifted"], [f"{name}_gate"])
    writer.node("Mul", [f"{name}_gate", half], [name])
