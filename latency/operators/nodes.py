"""ONNX nodes for fusion: activations separate from constants, attributes as plain values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto

from foundation.errors import UserError
from latency.operators.constant_folding import FoldedModel
from latency.operators.operator import AttributeValue, Shape

Constants = dict[int, NDArray[np.generic]]
_WEIGHTED: dict[str, tuple[int, ...]] = {
    "Conv": (1, 2),
    "ConvTranspose": (1,),
    "Gemm": (1,),
    "MatMul": (1,),
    "BatchNormalization": (1, 2, 3, 4),
    "LSTM": (1, 2),
    "GRU": (1, 2),
    "QLinearConv": (3,),
    "QLinearMatMul": (3,),
    "MatMulInteger": (1,),
}
"""Inputs, by slot, that ONNX Runtime folds or brings into a layout of its own when it loads a model, where they are
constants (``benchmarks/listed_operators.py``). Those of RNN and ConvInteger are read as they are."""
_ITS_DOMAINS = frozenset({"", "ai.onnx", "com.microsoft"})


@dataclass(slots=True)
class Node:
    """A node, or several that were fused into one."""

    kind: str
    domain: str
    position: int
    inputs: dict[int, str]
    """Activations by slot; after a view (Reshape) the tensor that is viewed."""
    input_shapes: dict[int, Shape]
    """Their shapes as the node reads them."""
    constants: Constants
    """Constant inputs by slot."""
    outputs: list[str]
    attributes: dict[str, AttributeValue]
    name: str = ""
    inner: list[str] = field(default_factory=list)
    """Tensors inside a fused node and views of its output."""
    activation: str = "none"
    slopes: int = 0
    weights_are_inputs: bool = False
    """Whether some of ``constants`` are no constants for the runtime."""

    @property
    def output(self) -> str:
        """The first output."""
        return self.outputs[0]

    @property
    def input(self) -> str:
        """The first activation."""
        return next(iter(self.inputs.values()))

    @property
    def input_shape(self) -> Shape:
        """Shape of the first activation."""
        return next(iter(self.input_shapes.values()))


@dataclass(slots=True)
class NodeGraph:
    """Nodes in order, with the shapes of all tensors; fusion edits it in place."""

    nodes: list[Node]
    shapes: dict[str, Shape]
    outputs: list[str]

    def uses(self) -> Counter[str]:
        """How often each tensor is read; being an output of the graph counts."""
        return Counter([name for node in self.nodes for name in node.inputs.values()] + self.outputs)

    def producers(self) -> dict[str, Node]:
        """The node that produces each tensor."""
        return {name: node for node in self.nodes for name in node.outputs}

    def remove(self, removed: Iterable[Node]) -> None:
        """Removes nodes."""
        identities = {id(node) for node in removed}
        self.nodes = [node for node in self.nodes if id(node) not in identities]


def node_graph(folded: FoldedModel, listed: Set[str] = frozenset()) -> NodeGraph:
    """The nodes of a folded model; the weights ``listed`` are no constants for the runtime."""
    nodes = [_node(node, position, folded, listed) for position, node in enumerate(folded.nodes)]
    return NodeGraph(nodes, folded.shapes, list(folded.outputs))


def refuse_unknown_shapes(folded: FoldedModel, deciding: Sequence[str]) -> None:
    """Refuses a model with a tensor whose shape is not known.

    Args:
        folded: the model.
        deciding: settings without a value whose values reach a shape.

    Raises:
        UserError: the shape of a tensor that is read is not known.
    """
    remedy = "export the network with standard operators and a fixed input size, or time it with `latseg measure`"
    if deciding:
        remedy = f"give the values that decide it, such as --input {deciding[0]}=VALUE"
    read = {name for node in folded.nodes for name in node.input}.union(folded.outputs)
    for node in folded.nodes:
        for name in node.output:
            if name and name in read and name not in folded.shapes:
                kind = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
                raise UserError(
                    f"tensor {name!r} of operator {kind} (node {node.name!r})",
                    seen="a shape that depends on values, or an operator that ONNX does not define",
                    expected="shapes that follow from the inputs' shapes",
                    remedy=remedy,
                )


def _node(node: onnx.NodeProto, position: int, folded: FoldedModel, listed: Set[str]) -> Node:
    slots = [(slot, name) for slot, name in enumerate(node.input) if name]
    constants = folded.constants
    return Node(
        kind=node.op_type,
        domain="" if node.domain == "ai.onnx" else node.domain,
        position=position,
        inputs={slot: name for slot, name in slots if name not in constants},
        input_shapes={slot: folded.shapes[name] for slot, name in slots if name not in constants},
        constants={slot: constants[name] for slot, name in slots if name in constants},
        outputs=[name for name in node.output if name],
        attributes=_attributes(node),
        name=node.name,
        weights_are_inputs=_reads_weights(node, listed),
    )


def _reads_weights(node: onnx.NodeProto, listed: Set[str]) -> bool:
    """Whether it reads some of these as weights that cost less where they are constants."""
    if node.domain not in _ITS_DOMAINS:
        return False
    slots = _WEIGHTED.get(node.op_type, ())
    return any(node.input[slot] in listed for slot in slots if slot < len(node.input))


def _attributes(node: onnx.NodeProto) -> dict[str, AttributeValue]:
    """Scalars, strings and lists of integers; tensors and subgraphs are left out."""
    values: dict[str, AttributeValue] = {}
    for attribute in node.attribute:
        match attribute.type:
            case AttributeProto.INT:
                values[attribute.name] = attribute.i
            case AttributeProto.FLOAT:
                values[attribute.name] = attribute.f
            case AttributeProto.STRING:
                values[attribute.name] = attribute.s.decode(errors="replace")
            case AttributeProto.INTS:
                values[attribute.name] = tuple(attribute.ints)
            case _:
                pass
    return values
