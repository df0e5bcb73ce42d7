"""Weights that a model lists among its inputs, so that whoever runs it may replace them (onnx.proto, IR version 4).

ONNX Runtime then keeps them as inputs: it folds no batch normalisation into them and does without its blocked layout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from devices.graph_walk import weight_names

if TYPE_CHECKING:
    import onnx


def listed_weights(graph: onnx.GraphProto) -> frozenset[str]:
    """Names of the weights among the inputs."""
    return frozenset(value.name for value in graph.input) & weight_names(graph)


def drop_listed_weights(graph: onnx.GraphProto) -> None:
    """Makes these weights constants, in place: they are inputs no longer."""
    weights = listed_weights(graph)
    kept = [value for value in graph.input if value.name not in weights]
    if len(kept) < len(graph.input):
        del graph.input[:]
        graph.input.extend(kept)
