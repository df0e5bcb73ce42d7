"""One form for what files write in several ways: IR versions, names, and dimensions that are not fixed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devices.graph_walk import all_graphs
from devices.listed_weights import drop_listed_weights

if TYPE_CHECKING:
    import onnx

WEIGHTS_ARE_NO_INPUTS = 4
"""Since this IR version; before it the inputs listed every weight."""


def normalise(model: onnx.ModelProto) -> None:
    """Rewrites a model in place: the same net is the same model afterwards.

    A graph has a name. In IR versions below 4 weights are no inputs, as runtimes treat them. A dimension that is
    written as 0 or -1 is dynamic.
    """
    if not model.graph.name:
        model.graph.name = "graph"
    if model.ir_version < WEIGHTS_ARE_NO_INPUTS:
        drop_listed_weights(model.graph)
        model.ir_version = WEIGHTS_ARE_NO_INPUTS
    for graph in all_graphs(model.graph):
        for value in (*graph.input, *graph.output, *graph.value_info):
            _free_dimensions(value)


def writes_free_dimensions(graph: onnx.GraphProto) -> bool:
    """Whether an input has a dimension that is written as 0 or -1, which a runtime may take for a size."""
    return any(
        dim.HasField("dim_value") and dim.dim_value <= 0
        for value in graph.input
        for dim in value.type.tensor_type.shape.dim
    )


def _free_dimensions(value: onnx.ValueInfoProto) -> None:
    if not value.type.HasField("tensor_type"):
        return
    for dim in value.type.tensor_type.shape.dim:
        if dim.HasField("dim_value") and dim.dim_value <= 0:
            dim.ClearField("dim_value")
