"""Element types for the inputs of an operator that is written as a node: a graph knows shapes, but no types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import onnx
from onnx import TensorProto

from latency.operators.operator import AttributeValue

_FOR_DATA = ("float", "int64", "bool", "uint8", "int8", "int32")
_FOR_WEIGHTS = ("float", "int64", "bool", "int8", "uint8", "int32")
"""In this order, where the operator takes them. Quantised nets mostly have activations of uint8 and weights of int8."""
_NUMBERS = {
    "float": TensorProto.FLOAT,
    "int64": TensorProto.INT64,
    "bool": TensorProto.BOOL,
    "uint8": TensorProto.UINT8,
    "int8": TensorProto.INT8,
    "int32": TensorProto.INT32,
}


class ElementTypes:
    """The types that one operator takes: float32 wherever it can.

    Args:
        kind: an operator of ONNX.
        opset: that has it.
        constants: its constant inputs by slot; None where the values are not known.
    """

    def __init__(self, kind: str, opset: int, constants: Mapping[int, AttributeValue | None]) -> None:
        self._schema = onnx.defs.get_schema(kind, opset, "")
        allowed = {each.type_param_str: set(each.allowed_type_strs) for each in self._schema.type_constraints}
        known: dict[str, list[AttributeValue]] = {}
        weighted: set[str] = set()
        for slot, value in constants.items():
            parameter = self._parameter(slot)
            if value is None:
                weighted.add(parameter)
            else:
                known.setdefault(parameter, []).append(value)
        self._chosen = {
            parameter: _choice(
                allowed.get(parameter, {parameter}),
                known.get(parameter, ()),
                _FOR_WEIGHTS if parameter in weighted else _FOR_DATA,
            )
            for parameter in {self._parameter(slot) for slot in range(len(self._schema.inputs))}
        }

    def of(self, slot: int) -> int:
        """The type of an input, as ``TensorProto.DataType`` numbers it."""
        return self._chosen.get(self._parameter(slot), TensorProto.FLOAT)

    def _parameter(self, slot: int) -> str:
        """Name of the types that the input shares with others, or its only type; the last input may stand for many."""
        inputs = self._schema.inputs
        return str(inputs[min(slot, len(inputs) - 1)].type_str) if inputs else ""


def _choice(allowed: set[str], values: Iterable[AttributeValue], preferred: Iterable[str]) -> int:
    fitting = (
        name for name in preferred if f"tensor({name})" in allowed and all(_holds(name, each) for each in values)
    )
    return _NUMBERS[next(fitting, "float")]


def _holds(name: str, value: AttributeValue) -> bool:
    numbers = value if isinstance(value, tuple) else (value,)
    if name in ("float", "bool"):
        return name == "float" and all(isinstance(each, float) for each in numbers)
    limits = np.iinfo(name)
    return all(isinstance(each, int) and limits.min <= each <= limits.max for each in numbers)
