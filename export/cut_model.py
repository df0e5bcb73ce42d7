"""The first nodes of a model as a model of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from devices.graph_walk import all_nodes, weight_names

if TYPE_CHECKING:
    import onnx


class CutModel:
    """A model with fixed input shapes that can be cut after any of its nodes."""

    def __init__(self, model: onnx.ModelProto) -> None:
        from onnx import shape_inference

        self._model = model
        self.nodes: Sequence[onnx.NodeProto] = model.graph.node
        graph = shape_inference.infer_shapes(model).graph
        self._known = {value.name: value for value in (*graph.value_info, *graph.output)}
        self._ends = {value.name for value in graph.output}
        self.dependent = self._find_dependent()
        """Tensors that depend on an input of the model, in the order in which they are made."""

    def outputs(self, cut: int) -> list[onnx.ValueInfoProto]:
        """What the first ``cut`` nodes make of an input and a later node, or the user, reads.

        Empty where one of these tensors is not known to be float32: runtimes return no others reliably.
        """
        from onnx import TensorProto

        made = {name for node in self.nodes[:cut] for name in node.output}
        later = _read(self.nodes[cut:]) | self._ends
        names = [name for name in self.dependent if name in made & later]
        found = [self._known[name] for name in names if name in self._known]
        floats = [value for value in found if value.type.tensor_type.elem_type == TensorProto.FLOAT]
        return floats if len(floats) == len(names) else []

    def after(self, cut: int) -> onnx.ModelProto:
        """The first ``cut`` nodes with ``outputs(cut)``, and only the inputs and weights that they read."""
        import onnx

        nodes, read = self.nodes[:cut], _read(self.nodes[:cut])
        graph = self._model.graph
        part = onnx.ModelProto()
        part.CopyFrom(self._model)
        for field in ("node", "input", "initializer", "output", "value_info"):
            part.graph.ClearField(field)
        part.graph.node.extend(nodes)
        part.graph.input.extend(value for value in graph.input if value.name in read)
        part.graph.initializer.extend(tensor for tensor in graph.initializer if tensor.name in read)
        part.graph.output.extend(self.outputs(cut))
        return part

    def _find_dependent(self) -> list[str]:
        graph = self._model.graph
        known = {value.name for value in graph.input} - weight_names(graph)
        found: list[str] = []
        for node in self.nodes:
            if known & _read([node]):
                found += filter(None, node.output)
                known.update(node.output)
        return found


def _read(nodes: Sequence[onnx.NodeProto]) -> set[str]:
    """Names of tensors that the nodes and their bodies read."""
    return {name for node in all_nodes(nodes) for name in node.input if name}
