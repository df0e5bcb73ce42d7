"""Finds tensors of the user's model by their values.

Converters rename, fuse and split what they convert. A layer makes the tensor whose values it writes, among those that
follow from what it reads; where none has these values, it makes none.
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
        channels_last: whether layers may have the second axis of a tensor behind the others.
    """

    def __init__(
        self, graph: TensorGraph, values: Mapping[str, Array], reserved: Iterable[str], *, channels_last: bool = False
    ) -> None:
        self._graph = graph
        self._values = values
        self._made = set(reserved)
        self._channels_last = channels_last

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
        moved = [np.moveaxis(value, -1, 1)] if self._channels_last and value.ndim > 2 else []
        return any(_close(expected, each) for each in (value, *moved))

    def _following(self, sources: Iterable[str]) -> Iterator[str]:
        """Tensors that depend on these sources, weights and shapes alone, in the order of the model."""
        known = {"", *self._graph.weights, *sources}
        for node in self._graph.nodes:
            if node.op_type == "Shape" or known.issuperset(node.input):
                known.update(node.output)
                yield from (name for name in node.output if name)


def _close(expected: Array, value: Array) -> bool:
    largest = np.max(np.abs(expected), initial=0, where=np.isfinite(expected))
    return bool(np.isclose(value.ravel(), expected.ravel(), rtol=0, atol=_TOLERANCE * largest, equal_nan=True).all())
