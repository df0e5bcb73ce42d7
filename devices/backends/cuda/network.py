"""An ONNX model as steps of torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
from torch import Tensor

from devices.backends.cuda.elementwise import ELEMENTWISE
from devices.backends.cuda.node import STANDARD_DOMAINS, Arguments, Compute, Node, tensor_of
from devices.backends.cuda.reductions import REDUCTIONS
from devices.backends.cuda.resize import RESIZE
from devices.backends.cuda.shaping import SHAPING
from devices.backends.cuda.windows import WINDOWS
from devices.external_data import embed_external_data
from devices.model_file import read_model
from devices.model_inputs import data_inputs
from devices.worker.runtime import InputShapes, ModelFailedError, one_line
from foundation.regular_file import MODEL_BYTES

OPERATORS: dict[str, Compute] = {**ELEMENTWISE, **SHAPING, **WINDOWS, **REDUCTIONS, **RESIZE}
NUMBERS: dict[str, tuple[int, ...]] = {
    "Clip": (1, 2), "Expand": (1,), "Pad": (1, 2, 3), "ReduceMax": (1,), "ReduceMean": (1,), "ReduceMin": (1,),
    "ReduceSum": (1,), "Reshape": (1,), "Resize": (1, 2, 3), "Slice": (1, 2, 3, 4), "Split": (1,), "Squeeze": (1,),
    "Tile": (1,), "Unsqueeze": (1,),
}  # fmt: skip
"""Inputs of which the processor must know the numbers, such as a shape."""


@dataclass(frozen=True, slots=True)
class Step:
    """One node that the device executes in every run."""

    node: Node
    run: Callable[[], None]
    sources: tuple[str, ...]
    """Tensors that it reads and that depend on the model's inputs."""


class TorchNetwork:
    """The steps of a model; weights lie on the device.

    Nodes that depend on weights and shapes alone are computed by the processor, once in each ``trace``.

    Raises:
        ModelFailedError: an operator that this device does not have.
    """

    def __init__(self, path: Path, device: str) -> None:
        model = read_model(path)
        embed_external_data(path, model, limit=MODEL_BYTES)
        opset = max((each.version for each in model.opset_import if each.domain in STANDARD_DOMAINS), default=1)
        self.inputs: InputShapes = tuple((each.name, _sizes(each)) for each in data_inputs(model.graph))
        self.outputs = tuple(value.name for value in model.graph.output)
        self.nodes = [Node.of(node, opset) for node in model.graph.node]
        if unknown := sorted({node.kind for node in self.nodes} - set(OPERATORS)):
            raise ModelFailedError(f"operators that this device does not have: {', '.join(unknown)}")
        self._device = device
        self.weights = {each.name: tensor_of(each) for each in model.graph.initializer}
        self._on_device: dict[str, Tensor] = {}

    def trace(self, feeds: Mapping[str, Tensor]) -> tuple[list[Step], dict[str, Tensor]]:
        """Runs the model once; the steps, and all tensors by name, into which each run of a step writes.

        Raises:
            ModelFailedError: a node fails.
        """
        known, values, constants = dict(self.weights), dict(feeds), dict[str, Tensor]()
        steps: list[Step] = []
        for node in self.nodes:
            sources = tuple(name for name in node.inputs if name in values)
            self._check(node, known)
            inside = bool(sources) and node.kind != "Shape"
            run = self._call(node, known, values, constants, inside=inside)
            try:
                run()
            except (RuntimeError, ValueError, TypeError, IndexError, KeyError, NotImplementedError) as error:
                raise ModelFailedError(f"{node.kind}: {one_line(error)}") from error
            if inside:
                steps.append(Step(node, run, sources))
        values.update((name, known[name]) for name in self.outputs if name not in values)
        return steps, values

    def _check(self, node: Node, known: Mapping[str, Tensor]) -> None:
        for place in NUMBERS.get(node.kind, ()):
            if place < len(node.inputs) and node.inputs[place] and node.inputs[place] not in known:
                raise ModelFailedError(f"{node.kind} with an input {node.inputs[place]!r} that is computed on the GPU")

    def _call(
        self,
        node: Node,
        known: dict[str, Tensor],
        values: dict[str, Tensor],
        constants: dict[str, Tensor],
        *,
        inside: bool,
    ) -> Callable[[], None]:
        """Computes the node's outputs into ``values`` on the device (``inside``), or into ``known`` on the processor.

        ``constants`` keeps what was brought to the device: while a run is recorded, nothing may be copied there.
        """
        compute, numbers, target = OPERATORS[node.kind], NUMBERS.get(node.kind, ()), values if inside else known

        def argument(place: int, name: str) -> Tensor | None:
            if not name:
                return None
            if name in values:
                return values[name]
            if not inside or place in numbers:
                return known[name]
            return self._moved(name, known[name], self._on_device if name in self.weights else constants)

        def run() -> None:
            arguments: Arguments = [argument(place, name) for place, name in enumerate(node.inputs)]
            found = compute(node, arguments)
            made = (found,) if isinstance(found, Tensor) else found
            if any(node.outputs[len(made) :]):
                raise node.refuse(f"{len(node.outputs)} outputs")
            target.update(zip(node.outputs, made, strict=False))

        return run

    def _moved(self, name: str, value: Tensor, kept: dict[str, Tensor]) -> Tensor:
        """On the device, brought there once."""
        if name not in kept:
            kept[name] = value.to(self._device)
        return kept[name]


def _sizes(value: onnx.ValueInfoProto) -> tuple[int | None, ...]:
    return tuple(each.dim_value if each.dim_value > 0 else None for each in value.type.tensor_type.shape.dim)
