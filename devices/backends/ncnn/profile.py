"""Operator times of ncnn: asked for one blob after the other, it computes a net layer by layer.

Layers have names of the converter's own; the tensors of the user's model that they make are found by their values.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from devices.backends.ncnn.calls import Net, extract
from devices.backends.ncnn.layer_graph import layer_graph
from devices.backends.ncnn.layer_times import layer_times
from devices.layer_join import executed_nodes
from devices.model_inputs import tensor_shapes
from devices.operator_join import join_rows, with_shapes
from devices.profiled_model import load_named
from devices.tensor_graph import TensorGraph
from devices.tensor_values import TensorFinder, tensor_values
from devices.worker.runtime import Array, OperatorProfile

SOURCE = "ncnn layer by layer"


def profile_model(net: Net, path: Path, inputs: Mapping[str, Array], runs: int) -> OperatorProfile:
    """Runs the net layer by layer and joins the times to the tensors of the model at ``path``.

    Raises:
        ModelFailedError: ncnn fails, or computes something else than ONNX Runtime.
    """
    model, _ = load_named(path)
    graph, feeds = layer_graph(net), net.feeds(inputs)
    times = layer_times(net, feeds, graph, runs)
    finder = TensorFinder(TensorGraph(model.graph), tensor_values(model, inputs), net.signature.outputs)
    extractor = net.extractor(feeds)
    nodes = executed_nodes(graph, times, finder, lambda blob: np.array(extract(extractor, blob).numpy(batch_index=0)))
    shapes = tensor_shapes(model, {name: array.shape for name, array in inputs.items()})
    return OperatorProfile(SOURCE, with_shapes(join_rows(nodes), shapes))
