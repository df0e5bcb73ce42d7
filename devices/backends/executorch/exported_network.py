"""An ONNX model as a module that ``torch.export`` takes, made of the operators of ``devices/backends/cuda``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn
from torch.fx.traceback import annotate
from typing_extensions import override

from devices.backends.cuda.network import NUMBERS, OPERATORS, TorchNetwork
from devices.backends.cuda.node import Arguments, Node
from devices.worker.runtime import ModelFailedError, one_line

MARK = "onnx_node"
"""Annotation of what a node of the ONNX model becomes: its position."""


class OnnxModule(nn.Module):
    """A model with fixed sizes; what depends on weights and sizes alone is computed once, here.

    Args:
        path: of the ONNX model.
        inputs: one example of each input by name.

    Raises:
        ModelFailedError: an operator that is not known here, or that fails.
    """

    def __init__(self, path: Path, inputs: Mapping[str, Tensor]) -> None:
        super().__init__()
        network = TorchNetwork(path, "cpu")
        self._inputs = tuple(inputs)
        self._outputs = network.outputs
        self._constants: dict[str, Tensor] = dict(network.weights)
        self._steps: list[tuple[int, Node]] = []
        values = dict(inputs)
        for position, node in enumerate(network.nodes):
            made = _computed(node, [values.get(name, self._constants.get(name)) for name in node.inputs])
            constant = node.kind == "Shape" or values.keys().isdisjoint(node.inputs)
            (self._constants if constant else values).update(made)
            if not constant:
                self._steps.append((position, node))
        for place, name in enumerate(self._constants):
            self.register_buffer(f"constant_{place}", self._constants[name])

    @override
    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        values = dict(zip(self._inputs, inputs, strict=True))
        values.update((name, getattr(self, f"constant_{place}")) for place, name in enumerate(self._constants))
        for position, node in self._steps:
            numbers = {node.inputs[place] for place in NUMBERS.get(node.kind, ()) if place < len(node.inputs)}
            arguments: Arguments = [(self._constants if name in numbers else values).get(name) for name in node.inputs]
            with annotate({MARK: position}):
                values.update(_computed(node, arguments))
        return tuple(values[name] for name in self._outputs)


def _computed(node: Node, arguments: Arguments) -> dict[str, Tensor]:
    try:
        found = OPERATORS[node.kind](node, arguments)
    except (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError, NotImplementedError) as error:
        raise ModelFailedError(f"{node.kind}: {one_line(error)}") from error
    made = (found,) if isinstance(found, Tensor) else found
    if any(node.outputs[len(made) :]):
        raise node.refuse(f"{len(node.outputs)} outputs")
    return dict(zip(node.outputs, made, strict=False))
