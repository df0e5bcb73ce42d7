"""Producers and consumers of each tensor of a model."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from devices.graph_walk import weight_names

if TYPE_CHECKING:
    import onnx


class TensorGraph:
    """Read-only view of a model's main graph, nodes by position."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.nodes = list(graph.node)
        self.weights = frozenset(weight_names(graph))
        self.inputs = tuple(value.name for value in graph.input if value.name not in self.weights)
        self.producers = {name: index for index, node in enumerate(self.nodes) for name in node.output if name}
        self.consumers: dict[str, list[int]] = {}
        for index, node in enumerate(self.nodes):
            for name in node.input:
                self.consumers.setdefault(name, []).append(index)

    def __contains__(self, tensor: str) -> bool:
        return tensor in self.producers

    def inside_fusion(self, tensor: str, kind: str, taken: AbstractSet[str]) -> set[str]:
        """Inner tensors of a fused kernel: those between its main node of this kind and its output ``tensor``."""
        inside: set[str] = set()
        while tensor in self.producers and self.nodes[self.producers[tensor]].op_type != kind:
            node = self.nodes[self.producers[tensor]]
            tensor = next((name for name in node.input if name in self.producers and name not in taken), "")
            inside.add(tensor)
        return inside - {""}

    def next_in_fusion(self, tensor: str, kinds: AbstractSet[str], taken: AbstractSet[str]) -> str:
        """Output of a node of these kinds that reads ``tensor`` within the same kernel; ``tensor`` where there is none.

        ``taken`` holds the tensors that other kernels produce.
        """
        made = (
            self.nodes[index].output[0]
            for index in self.consumers.get(tensor, ())
            if self.nodes[index].op_type in kinds and not taken & set(self.nodes[index].output)
        )
        return next(made, tensor)
