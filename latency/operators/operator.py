"""One kernel as a runtime executes it after fusion."""

from __future__ import annotations

from dataclasses import dataclass, field

Shape = tuple[int, ...]
AttributeValue = int | float | str | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Operator:
    """Convolution + batch normalisation + activation is ONE operator.

    Equality leaves out ``tensors``: the same operator in two files is equal, whatever its tensors are called.
    """

    kind: str
    """The ONNX operator type of the main node: ``Conv``, ``ConvTranspose``, ``Resize``, ``Add``..."""
    attributes: tuple[tuple[str, AttributeValue], ...]
    """Sorted by name. Convolutions: activation, dilations, group, kernel, strides."""
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
    def signature(self) -> tuple[object, ...]:
        """Hashable identity of the kernel's work: kind, attributes and shapes."""
        return (self.kind, self.attributes, self.input_shapes, self.output_shapes)


@dataclass(frozen=True, slots=True)
class OperatorGraph:
    """Operators in topological order (the order in which the model lists their main nodes) with their edges."""

    operators: tuple[Operator, ...]
    edges: tuple[tuple[int, int], ...]
    """Sorted pairs (producer, consumer) of positions in ``operators``."""
    input_shapes: tuple[Shape, ...]

    @property
    def flops(self) -> int:
        """Sum over the operators."""
        return sum(operator.flops for operator in self.operators)

    @property
    def parameters(self) -> int:
        """Sum over the operators, batch normalisation folded."""
        return sum(operator.parameters for operator in self.operators)
