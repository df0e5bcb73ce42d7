"""A node of an ONNX model with its attributes as Python values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import onnx
import torch
from onnx import helper, numpy_helper

from devices.worker.runtime import ModelFailedError

if TYPE_CHECKING:
    from torch import Tensor

Arguments = list["Tensor | None"]
"""Inputs of a node; None for one that is left out."""

STANDARD_DOMAINS = ("", "ai.onnx")


@dataclass(frozen=True, slots=True)
class Node:
    """One node."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    opset: int

    @classmethod
    def of(cls, proto: onnx.NodeProto, opset: int) -> Node:
        """Reads a node."""
        attributes = {each.name: _value(each) for each in proto.attribute}
        kind = proto.op_type if proto.domain in STANDARD_DOMAINS else f"{proto.domain}:{proto.op_type}"
        return cls(kind, tuple(proto.input), tuple(proto.output), attributes, opset)

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute."""
        return self.attributes.get(name, default)

    def given(self, name: str, arguments: Arguments, position: int) -> Any:
        """Numbers that are an attribute in older versions and an input in newer ones; None where they are neither."""
        if name in self.attributes:
            return self.attributes[name]
        found = arguments[position] if position < len(arguments) else None
        return None if found is None else found.tolist()

    def refuse(self, what: str) -> ModelFailedError:
        """To be raised where this device cannot do what the node asks."""
        return ModelFailedError(f"{self.kind} with {what} is not supported by this device")


Compute = Callable[[Node, Arguments], "Tensor | tuple[Tensor, ...]"]
"""What computes the outputs of a node."""


def first(arguments: Arguments) -> Tensor:
    """The first input, which must be there."""
    if not arguments or arguments[0] is None:
        raise ModelFailedError("an input is missing")
    return arguments[0]


def pair(arguments: Arguments) -> tuple[Tensor, Tensor]:
    """The first two inputs, which must be there."""
    if len(arguments) < 2:
        raise ModelFailedError("an input is missing")
    return first(arguments), first(arguments[1:])


def tensor_of(proto: onnx.TensorProto) -> Tensor:
    """A weight, in the memory of the processor."""
    return torch.from_numpy(numpy_helper.to_array(proto).copy())


def _value(attribute: onnx.AttributeProto) -> Any:
    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode()
    return tensor_of(value) if isinstance(value, onnx.TensorProto) else value
