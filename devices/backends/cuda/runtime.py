"""torch on an NVIDIA GPU, inside the worker process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import ClassVar, TypeVar

import torch
from torch import Tensor
from typing_extensions import override

from devices.backends.cuda.network import Step, TorchNetwork
from devices.backends.cuda.replay import CUDA, Replay
from devices.model_file import read_model
from devices.model_inputs import random_inputs, tensor_shapes
from devices.operator_join import ExecutedNode, join_rows, with_shapes
from devices.worker.runtime import (
    Array,
    ClockedModel,
    InferenceModel,
    InputShapes,
    ModelFailedError,
    ModelFile,
    OperatorProfile,
    Runtime,
    numbers,
    one_line,
)

# The order of NVIDIA's management library, by which ``driver.py`` names the GPU; read when CUDA starts.
os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"

SOURCE = "CUDA events around a CUDA graph of each operator"
_REPEATS = 20
"""Times that an operator is in its graph, so that starting the graph does not count."""
_T = TypeVar("_T")


class Cuda(Runtime):
    """Loads models onto the first GPU: float32, without TF32, which rounds factors to ten bits."""

    device: ClassVar[str] = CUDA

    def __init__(self, threads: int) -> None:
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
        # Choosing kernels by timing them (cudnn.benchmark) chooses others in every process: see docs/benchmarks.md.
        torch.backends.cudnn.benchmark = False

    @override
    def load(self, file: ModelFile) -> TorchModel:
        return TorchModel(file, self.device)

    @override
    def load_for_inference(self, path: Path) -> TorchInferenceModel:
        return TorchInferenceModel(path, self.device)


class TorchModel(ClockedModel):
    """A model whose runs with fixed random inputs are recorded."""

    def __init__(self, file: ModelFile, device: str) -> None:
        self._device = device
        start = time.perf_counter_ns()
        feeds = random_inputs(file.inputs)
        network = checked(lambda: TorchNetwork(file.path, device))
        self._outputs = network.outputs
        self._steps, self._values = checked(lambda: network.trace(_moved(feeds, device)))
        self._check_shapes(file)
        self._replay = checked(lambda: Replay(self._all_steps, device))
        self.load_ms = (time.perf_counter_ns() - start) / 1e6

    def _check_shapes(self, file: ModelFile) -> None:
        expected = tensor_shapes(read_model(file.onnx), {each.name: each.shape for each in file.inputs})
        for name in self._outputs:
            shape = tuple(self._values[name].shape)
            if expected.get(name, shape) != shape:
                raise ModelFailedError(f"the output {name!r} has the shape {shape} here, {expected[name]} in ONNX")

    def _all_steps(self) -> None:
        for step in self._steps:
            step.run()

    @override
    def run(self) -> None:
        self._replay.run()

    @override
    def profile(self, runs: int) -> OperatorProfile:
        shapes = {name: tuple(value.shape) for name, value in self._values.items()}
        nodes = executed_nodes(self._steps, [self._step_ms(step, runs) for step in self._steps])
        return OperatorProfile(SOURCE, with_shapes(join_rows(nodes), shapes))

    def _step_ms(self, step: Step, runs: int) -> float:
        def often() -> None:
            for _ in range(_REPEATS):
                step.run()

        replay = checked(lambda: Replay(often, self._device))
        return median(replay.milliseconds() for _ in range(runs)) / _REPEATS


def executed_nodes(steps: Sequence[Step], ms: Sequence[float]) -> list[ExecutedNode]:
    """Every step is a kernel: torch fuses none."""
    made_by: dict[str, int | str] = {}
    nodes = []
    for index, (step, time_ms) in enumerate(zip(steps, ms, strict=True)):
        sources = tuple(made_by.get(name, name) for name in step.sources)
        outputs = tuple(name for name in step.node.outputs if name)
        made_by.update(dict.fromkeys(outputs, index))
        nodes.append(ExecutedNode(step.node.kind, time_ms, sources, outputs))
    return nodes


class TorchInferenceModel(InferenceModel):
    """A model with its inputs as the file declares them."""

    def __init__(self, path: Path, device: str) -> None:
        self._device = device
        self._network = TorchNetwork(path, device)
        self.inputs: InputShapes = self._network.inputs

    @override
    def infer(self, feeds: Mapping[str, Array]) -> list[Array]:
        _, values = checked(lambda: self._network.trace(_moved(feeds, self._device)))
        return numbers([values[name].cpu().numpy() for name in self._network.outputs])


def _moved(feeds: Mapping[str, Array], device: str) -> dict[str, Tensor]:
    return {name: torch.from_numpy(array.copy()).to(device) for name, array in feeds.items()}


def checked(call: Callable[[], _T]) -> _T:
    """What the call returns; errors of the GPU become ``ModelFailedError``."""
    try:
        return call()
    except (RuntimeError, TypeError) as error:  # torch.OutOfMemoryError, an input of text
        raise ModelFailedError(one_line(error)) from error
