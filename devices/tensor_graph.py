"""Which node of a model makes and which reads each tensor."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

_NOT_DATA = frozenset({"Shape", "Size", "Constant", "ConstantOfShape"})
"""Kinds that read a tensor without passing its values on; they never are the tail of a fused kernel."""


class TensorGraph:
    """Read-only view of a model's main graph, nodes by position."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.nodes = list(graph.node)
        self.weights = frozenset(tensor.name for tensor in graph.initializer)
        self.inputs = tuple(value.name for value in graph.input if value.name not in self.weights)
        self.producers = {name: index for index, node in enumerate(self.nodes) for name in node.output if name}
        self.consumers: dict[str, list[int]] = {}
        for index, node in enumerate(self.nodes):
            for name in node.input:
                self.consumers.setdefault(name, []).append(index)

    def __contains__(self, tensor: str) -> bool:
        return tensor in self.producers

    def inside_fusion(self, tensor: str, kind: str, taken: AbstractSet[str]) -> set[str]:
        """Tensors that a fused kernel makes on the way from its main node of this kind to ``tensor``, its output."""
        inside: set[str] = set()
        while tensor in self.producers and self.nodes[self.producers[tensor]].op_type != kind:
            node = self.nodes[self.producers[tensor]]
            tensor = next((name for name in node.input if name in self.producers and name not in taken), "")
            inside.add(tensor)
        return inside - {""}

    def end_of_fusion(self, tensor: str, taken: AbstractSet[str]) -> str:
        """The last tensor of the fused kernel that begins by making ``tensor``.

        A runtime that fuses a convolution with the addition and the activation behind it reports one kernel; the
        tensors in between, and the last one, are made by no other kernel, that is, are not in ``taken``.
        """
        while True:
            tails = [
                self.nodes[index].output[0]
                for index in self.consumers.get(tensor, ())
                if self.nodes[index].op_type not in _NOT_DATA and not taken & set(self.nodes[index].output)
            ]
            if not tails:
                return tensor
            tensor = tails[0]
