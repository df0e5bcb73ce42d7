"""Operator times of ONNX Runtime: its profile and its optimised graph, both from one session.

Names of fused nodes differ from session to session, so the two must come from the same one. In the optimised graph the
layout transformer (onnxruntime/core/optimizer/nchwc_transformer.cc) calls a node ``<tensor>_nchwc`` after the tensor
that it made before, and puts ``ReorderInput`` and ``ReorderOutput`` nodes where the layout changes.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devices.backends.ort.calls import open_session, run_session, session_options
from devices.model_inputs import tensor_shapes
from devices.operator_join import ExecutedNode, join_rows, with_shapes
from devices.profiled_model import load_named, node_position
from devices.statistics import interquartile_mean
from devices.tensor_graph import TensorGraph
from devices.worker.runtime import PROFILE_WARM_UP_RUNS, Array, OperatorProfile
from foundation.temporary_folder import TemporaryFolder

if TYPE_CHECKING:
    import onnx

SOURCE = "onnxruntime profiling"
_SUFFIX = "_kernel_time"
_CONVOLUTIONS = frozenset({"Conv", "FusedConv"})
_ADDITIONS = frozenset({"Add", "Sum"})
_SUM_INPUT = 3
"""Position of the addend that is fused into a convolution."""
_REORDERS = frozenset({"ReorderInput", "ReorderOutput"})
_LAYOUT_NAME = re.compile(r"(?P<tensor>.+)_nchwc(_token_\d+)?")


def profile_model(path: Path, feeds: Mapping[str, Array], threads: int, runs: int) -> OperatorProfile:
    """Runs the model under the profiler and joins its rows to the model's tensors.

    Raises:
        ModelFailedError: ONNX Runtime fails.
    """
    import onnx

    model, content = load_named(path)
    with TemporaryFolder() as temporary:
        folder = temporary.path
        options = session_options(threads)
        options.enable_profiling = True
        options.profile_file_prefix = str(folder / "profile")
        options.optimized_model_filepath = str(folder / "optimized.onnx")
        session = open_session(content, options)
        for _ in range(PROFILE_WARM_UP_RUNS + runs):
            run_session(session, feeds)
        events = json.loads(Path(session.end_profiling()).read_text())
        optimized = onnx.load(str(folder / "optimized.onnx"), load_external_data=False)
    kernels = _kernels(events)
    nodes = executed_nodes(
        TensorGraph(model.graph), optimized.graph, [kernels.get(node.name, 0.0) for node in optimized.graph.node]
    )
    shapes = tensor_shapes(model, {name: array.shape for name, array in feeds.items()})
    return OperatorProfile(SOURCE, with_shapes(join_rows(nodes), shapes), _peak_memory(events))


def _kernels(events: list[dict[str, Any]]) -> dict[str, float]:
    """Milliseconds of each node, over the runs."""
    microseconds: defaultdict[str, list[float]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(_SUFFIX):
            microseconds[event["name"].removesuffix(_SUFFIX)].append(float(event["dur"]))
    return {name: interquartile_mean(each[PROFILE_WARM_UP_RUNS:] or each) / 1000 for name, each in microseconds.items()}


def _peak_memory(events: list[dict[str, Any]]) -> int | None:
    peaks = [int(event["args"].get("mem_in_use_peak", 0)) for event in events if event.get("cat") == "Node"]
    return max(peaks, default=0) or None


def executed_nodes(user: TensorGraph, optimized: onnx.GraphProto, ms: Sequence[float]) -> list[ExecutedNode]:
    """Nodes of the optimised graph with their times, inputs and the tensors of the user's model that they make."""
    producers: dict[str, int | str] = {name: name for name in user.inputs}
    nodes: list[ExecutedNode] = []
    made = _made_tensors(user, optimized)
    for index, (node, time_ms, outputs) in enumerate(zip(optimized.node, ms, made, strict=True)):
        sources = tuple(producers[name] for name in node.input if name in producers)
        kind = f"{node.domain}:{node.op_type}" if node.domain else node.op_type
        nodes.append(ExecutedNode(kind, time_ms, sources, outputs))
        producers.update((name, index) for name in node.output if name)
    return nodes


def _made_tensors(user: TensorGraph, optimized: onnx.GraphProto) -> list[tuple[str, ...]]:
    """For each optimised node the tensors of the user's model that it makes."""
    found = [_named_tensors(user, node) for node in optimized.node]
    taken = {tensor for tensors in found for tensor in tensors}
    for node, tensors in zip(optimized.node, found, strict=True):
        if node.op_type in _CONVOLUTIONS:
            taken |= {inner for tensor in tensors for inner in user.inside_fusion(tensor, "Conv", taken)}
    return [
        tuple(_last_tensor(user, node, tensor, taken) for tensor in tensors)
        for node, tensors in zip(optimized.node, found, strict=True)
    ]


def _last_tensor(user: TensorGraph, node: onnx.NodeProto, tensor: str, taken: set[str]) -> str:
    """Follows the addition and the activation that were fused behind the tensor after which a node is named."""
    if node.op_type not in _CONVOLUTIONS or any(name in user for name in node.output):
        return tensor
    if len(node.input) > _SUM_INPUT and node.input[_SUM_INPUT]:
        tensor = user.next_in_fusion(tensor, _ADDITIONS, taken)
    activation = next((a.s.decode() for a in node.attribute if a.name == "activation"), "")
    if activation and user.nodes[user.producers[tensor]].op_type != activation:
        tensor = user.next_in_fusion(tensor, {activation}, taken)
    return tensor


def _named_tensors(user: TensorGraph, node: onnx.NodeProto) -> tuple[str, ...]:
    """Tensors of the user's model that an optimised node's outputs or name point to."""
    if node.op_type in _REORDERS:
        return ()
    own = tuple(name for name in node.output if name in user)
    if own:
        return own
    match = _LAYOUT_NAME.fullmatch(node.name)
    if match and match["tensor"] in user:
        return (match["tensor"],)
    position = node_position(node.name)
    return () if position is None else tuple(name for name in user.nodes[position].output if name)
