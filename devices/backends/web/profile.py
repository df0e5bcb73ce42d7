"""Operator times of onnxruntime-web: those of the graph that ONNX Runtime optimises here.

In a browser the runtime cannot write its optimised graph, and names that it makes up itself are in no file. So ONNX
Runtime optimises the model in Python, without the blocked layouts, which onnxruntime-web does not have. Nodes are named
by position, and the page profiles this graph as it is; its kernels are those of the user's model (docs/measuring.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from devices.backends.ort.calls import open_session, session_options
from devices.backends.ort.profile import executed_nodes
from devices.model_inputs import tensor_shapes
from devices.operator_join import join_rows, with_shapes
from devices.profiled_model import load_named
from devices.statistics import interquartile_mean
from devices.tensor_graph import TensorGraph
from devices.worker.runtime import PROFILE_WARM_UP_RUNS, Array, OperatorProfile
from foundation.temporary_folder import TemporaryFolder

if TYPE_CHECKING:
    import onnx

SOURCE = "onnxruntime-web profiling"
_BLOCKED_LAYOUTS = "NchwcTransformer"
"""WebAssembly has no kernels for them."""


@dataclass(frozen=True, slots=True)
class OptimisedModel:
    """The model that runs under the profiler."""

    user: onnx.ModelProto
    graph: onnx.GraphProto
    """Nodes as ONNX Runtime names them: after tensors of the user's model."""
    content: bytes
    """The same, its nodes named by position."""


def optimised(path: Path) -> OptimisedModel:
    """What ONNX Runtime makes of the model.

    Raises:
        ModelFailedError: ONNX Runtime refuses it.
    """
    import onnx

    user, content = load_named(path)
    with TemporaryFolder() as temporary:
        written = temporary.path / "optimised.onnx"
        options = session_options(1)
        options.optimized_model_filepath = str(written)
        open_session(content, options, without=[_BLOCKED_LAYOUTS])
        model = onnx.load(str(written))
    graph = onnx.GraphProto()
    graph.CopyFrom(model.graph)
    for position, node in enumerate(model.graph.node):
        node.name = str(position)
    return OptimisedModel(user, graph, model.SerializeToString())


def profile_of(
    model: OptimisedModel, feeds: Mapping[str, Array], microseconds: Mapping[str, Sequence[float]]
) -> OperatorProfile:
    """The times that the profiler gave for the nodes, joined to the user's tensors."""
    ms = [_ms(microseconds.get(str(position), ())) for position in range(len(model.graph.node))]
    nodes = executed_nodes(TensorGraph(model.user.graph), model.graph, ms)
    shapes = tensor_shapes(model.user, {name: array.shape for name, array in feeds.items()})
    return OperatorProfile(SOURCE, with_shapes(join_rows(nodes), shapes))


def _ms(microseconds: Sequence[float]) -> float:
    counted = microseconds[PROFILE_WARM_UP_RUNS:] or microseconds
    return interquartile_mean(counted) / 1000 if counted else 0.0
