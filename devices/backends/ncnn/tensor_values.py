"""Finds tensors of the user's model by their values.

pnnx renames, fuses and splits what it converts and keeps no names. A layer makes the tensor whose values it writes,
among those that follow from what it reads; where none has these values, it makes none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from devices.backends.ort.calls import open_session, run_session, session_options
from devices.tensor_graph import TensorGraph
from devices.worker.runtime import Array

if TYPE_CHECKING:
    import onnx

_TOLERANCE = 1e-3
"""Of the tensor's largest value. Single precision differs by 1e-5 of it after a hundred layers."""


def tensor_values(model: onnx.ModelProto, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Every tensor of the main graph as ONNX Runtime computes it.

    Raises:
        ModelFailedError: ONNX Runtime fails.
    """
    import onnx

    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    names = [name for node in model.graph.node for name in node.output if name]
    del shown.graph.output[:]
    for name in names:
        shown.graph.output.add(name=name)
    session = open_session(shown.SerializeToString(), session_options(1))
    return dict(zip(names, run_session(session, inputs), strict=True))


class TensorFinder:
    """Tells layers in the order of execution which tensors they make.

    Args:
        graph: the user's model.
        values: of its tensors.
        reserved: tensors that are known to be made by other layers.
    """

    def __init__(self, graph: TensorGraph, values: Mapping[str, Array], reserved: Iterable[str]) -> None:
        self._graph = graph
        self._values = values
        self._made = set(reserved)

    def find(self, value: Array, sources: Iterable[str]) -> str | None:
        """The first tensor with these values, whatever its shape, that can be computed from ``sources``.

        None where there is none. No tensor is found twice.
        """
        for name in self._following(sources):
            if name not in self._made and self.equal(name, value):
                self._made.add(name)
                return name
        return None

    def equal(self, name: str, value: Array) -> bool:
        """Whether the tensor has these values."""
        expected = self._values[name]
        if expected.size != value.size:
            return False
        largest = np.max(np.abs(expected), initial=0, where=np.isfinite(expected))
        close = np.isclose(value.ravel(), expected.ravel(), rtol=0, atol=_TOLERANCE * largest, equal_nan=True)
        return bool(close.all())

    def _following(self, sources: Iterable[str]) -> Iterator[str]:
        """Tensors that depend on these sources, weights and shapes alone, in the order of the model."""
        known = {"", *self._graph.weights, *sources}
        for node in self._graph.nodes:
            if node.op_type == "Shape" or known.issuperset(node.input):
                known.update(node.output)
                yield from (name for name in node.output if name)
