"""One kernel as a runtime executes it after fusion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

Shape = tuple[int, ...]
AttributeValue = int | float | str | tuple[int, ...]
WEIGHTS, ARE_INPUTS = "weights", "inputs"
"""Attribute of an operator whose weights are no constants for the runtime, and its only value."""


def _pairs(attributes: object) -> object:
    return tuple(sorted(attributes.items())) if isinstance(attributes, Mapping) else attributes


@dataclass(frozen=True, slots=True)
class Operator:
    """Convolution + batch normalisation + activation is ONE operator.

    Equality ignores ``tensors``: operators of two files are equal even if their tensors have other names.
    """

    kind: str
    """The ONNX operator type of the main node: ``Conv``, ``ConvTranspose``, ``Resize``, ``Add``..."""
    attributes: Annotated[
        tuple[tuple[str, AttributeValue], ...], BeforeValidator(_pairs), PlainSerializer(dict, return_type=dict)
    ]
    """Sorted by name; a JSON object in files. Convolutions: activation, dilations, group, kernel, strides."""
    input_shapes: tuple[Shape, ...]
    """Of the activations that flow in; weights are not inputs."""
    output_shapes: tuple[Shape, ...]
    parameters: int
    """Numbers in the weights, bias and folded normalisation."""
    flops: int
    """Two for each multiply-add."""
    bytes_read: int
    bytes_written: int
    tensors: tuple[str, ...] = field(default=(), compare=False)
    """Names of the tensors that its nodes produce in the source model, the last being the operator's output."""

    def attribute(self, name: str, default: AttributeValue) -> AttributeValue:
        """Value of one attribute."""
        return dict(self.attributes).get(name, default)

    @property
    def weights_are_inputs(self) -> bool:
        """Whether its weights are no constants for the runtime."""
        return (WEIGHTS, ARE_INPUTS) in self.attributes

    def with_constant_weights(self) -> Operator:
        """The same where it has no such weights."""
        attributes = tuple(each for each in self.attributes if each != (WEIGHTS, ARE_INPUTS))
        return replace(self, attributes=attributes)

    @property
    def signature(self) -> tuple[object, ...]:
        """Hashable identity of the kernel's work: kind, attributes and shapes."""
        return (self.kind, self.attributes, self.input_shapes, self.output_shapes)


@dataclass(frozen=True, slots=True)
class OperatorGraph:
    """Operators in topological order (the order in which the model lists their main nodes) and what each one reads."""

    operators: tuple[Operator, ...]
    inputs: tuple[tuple[int, ...], ...]
    """For each operator, in the order of its ``input_shapes``: the position of the operator that produces the input,
    or ``-1 - k`` for the graph's ``k``-th input. Of a producer with several outputs (Split) the first one that has
    the input's shape and is not yet taken is meant."""
    input_shapes: tuple[Shape, ...]
    outputs: tuple[int, ...] = ()
    """Positions of the operators that produce the outputs; empty where these are the ``sinks``, as for ONNX files."""

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Sorted unique pairs (producer, consumer) of positions in ``operators``; the graph's inputs are left out."""
        pairs = {
            (source, consumer) for consumer, sources in enumerate(self.inputs) for source in sources if source >= 0
        }
        return tuple(sorted(pairs))

    @property
    def sinks(self) -> tuple[int, ...]:
        """Positions of the operators that no other operator reads: they produce the graph's outputs."""
        read = {source for sources in self.inputs for source in sources}
        return tuple(position for position in range(len(self.operators)) if position not in read)

    @property
    def flops(self) -> int:
        """Sum over the operators."""
        return sum(operator.flops for operator in self.operators)

    @property
    def parameters(self) -> int:
        """Sum over the operators, batch normalisation folded."""
        return sum(operator.parameters for operator in self.operators)
