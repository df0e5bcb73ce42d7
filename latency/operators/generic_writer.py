"""How an operator is written of which only attributes and shapes are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from foundation.errors import UserError
from latency.operators.node_writer import OPSET, NodeWriter
from latency.operators.operator import AttributeValue, Operator


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
