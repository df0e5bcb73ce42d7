"""coremltools inside the worker process: it converts ML programs on any system, and runs them on Apple's only.

It reads programs of torch and not ONNX files, so that the model is first expressed in torch's operators.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import coremltools
import torch
from torch import Tensor, nn
from typing_extensions import override

from devices.backends.cuda.network import TorchNetwork
from devices.model_file import read_model
from devices.worker.compiler import CompiledModel, Compiler
from devices.worker.runtime import Array, InputShapes, ModelFailedError, one_line
from foundation.temporary_folder import TemporaryFolder

PACKAGE_NAME = "model.mlpackage"


class CoreMl(Compiler):
    """Writes a zip file with the folder ``model.mlpackage``."""

    def __init__(self, threads: int) -> None:
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)

    @override
    def compile(self, path: Path, feeds: Mapping[str, Array], artifact: Path) -> CompiledModel:
        network = TorchNetwork(path, "cpu")
        tensors = tuple(torch.from_numpy(feeds[name]) for name, _ in network.inputs)
        try:
            program = torch.export.export(_Module(network), tensors, strict=False).run_decompositions({})
            package = coremltools.convert(
                program,
                convert_to="mlprogram",
                minimum_deployment_target=coremltools.target.iOS16,
                inputs=[coremltools.TensorType(name, feeds[name].shape) for name, _ in network.inputs],
                outputs=[coremltools.TensorType(name) for name in network.outputs],
            )
        except ModelFailedError:
            raise
        except Exception as error:  # torch and coremltools raise what they meet
            raise ModelFailedError(one_line(error)) from error
        with TemporaryFolder() as folder:
            package.save(str(folder.path / PACKAGE_NAME))
            zipped = shutil.make_archive(str(folder.path / "package"), "zip", folder.path, PACKAGE_NAME)
            shutil.move(zipped, artifact)
        return MlProgram(path, network.inputs)


class _Module(nn.Module):
    """The network as a module: tensors in the order of its inputs, and a tuple of its outputs."""

    def __init__(self, network: TorchNetwork) -> None:
        super().__init__()
        self._network = network

    @override
    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        names = [name for name, _ in self._network.inputs]
        _, values = self._network.trace(dict(zip(names, tensors, strict=True)))
        return tuple(values[name] for name in self._network.outputs)


class MlProgram(CompiledModel):
    """A program that was written; which unit runs an operator is decided on the device."""

    def __init__(self, path: Path, inputs: InputShapes) -> None:
        self.inputs = inputs
        self.units = ("",) * len(read_model(path).graph.node)

    @override
    def infer(self, feeds: Mapping[str, Array]) -> list[Array]:
        raise ModelFailedError("Core ML runs on Apple's systems only")
