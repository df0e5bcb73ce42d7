"""Operator times of OpenVINO: its performance counters, read from the graph that it executes.

Each executed node names the nodes of the user's model that were fused into it (``originalLayersNames``), and carries
its mean time in whole microseconds (``execTimeMcs``); see OpenVINO's documentation of ``get_runtime_model``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devices.backends.ov.calls import compile_model, infer
from devices.model_inputs import tensor_shapes
from devices.operator_join import ExecutedNode, join_rows, with_shapes
from devices.profiled_model import load_named, node_position
from devices.tensor_graph import TensorGraph
from devices.worker.runtime import Array, OperatorProfile

if TYPE_CHECKING:
    import openvino

SOURCE = "openvino PERF_COUNT"
_TRUNCATED_MS = 0.0005
"""The counters drop fractions of a microsecond: half of one on the average."""
_NOT_COMPUTED = frozenset({"Input", "Output", "Const"})


def profile_model(path: Path, feeds: Mapping[str, Array], config: dict[str, Any], runs: int) -> OperatorProfile:
    """Runs the model with performance counters and joins its rows to the model's tensors.

    Args:
        path: the user's ONNX file.
        feeds: an array by input.
        config: OpenVINO's settings, performance counters among them.
        runs: over which times are averaged.

    Raises:
        ModelFailedError: OpenVINO fails.
    """
    model, content = load_named(path)
    given = {name: array.shape for name, array in feeds.items()}
    compiled = compile_model(content, given, config)
    request = compiled.create_infer_request()
    for _ in range(runs):
        infer(request, feeds)
    nodes = executed_nodes(TensorGraph(model.graph), compiled.get_runtime_model())
    return OperatorProfile(SOURCE, with_shapes(join_rows(nodes), tensor_shapes(model, given)))


def executed_nodes(user: TensorGraph, executed: openvino.Model) -> list[ExecutedNode]:
    """Nodes of the executed graph with their times, inputs and the tensors of the user's model that they make."""
    nodes: list[ExecutedNode] = []
    made_by: dict[str, int | str] = {}
    for each in executed.get_ordered_ops():
        name, kind = each.get_friendly_name(), _text(each, "layerType")
        if kind == "Input" and name in user.inputs:
            made_by[name] = name
        if kind in _NOT_COMPUTED:
            continue
        feeding = [source.get_source_output().get_node().get_friendly_name() for source in each.inputs()]
        sources = tuple(made_by[source] for source in feeding if source in made_by)
        if not sources:
            continue  # computed once from weights
        made_by[name] = len(nodes)
        nodes.append(ExecutedNode(kind, _ms(each), sources, _made_tensors(user, _text(each, "originalLayersNames"))))
    return nodes


def _text(node: openvino.Node, key: str) -> str:
    information = node.get_rt_info()
    value = information[key] if key in information else ""  # noqa: SIM401 - not a dict, has no ``get``
    return value if isinstance(value, str) else str(value.astype(str))


def _ms(node: openvino.Node) -> float:
    microseconds = _text(node, "execTimeMcs")
    return (int(microseconds) / 1000 if microseconds.isdecimal() else 0.0) + _TRUNCATED_MS


def _made_tensors(user: TensorGraph, original: str) -> tuple[str, ...]:
    """Outputs of the last user's node among the fused ones; a node before a model output has the name of the tensor."""
    positions = [
        position
        for name in original.split(",")
        if (position := node_position(name) if node_position(name) is not None else user.producers.get(name))
        is not None
    ]
    return tuple(name for name in user.nodes[max(positions)].output if name) if positions else ()
