"""A compiler whose emulator is ONNX Runtime, and which is picky about operators."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping
from pathlib import Path

import onnx
from typing_extensions import override

from devices.backends.ort.runtime import OrtInferenceModel
from devices.installations.python_environment import PythonEnvironment
from devices.worker.compiled_target import ProcessCompiler
from devices.worker.compiler import CompiledModel, Compiler
from devices.worker.runtime import Array, ModelFailedError


class PickyCompiler(Compiler):
    """Tanh: refused. Softplus: crashes. Softsign: runs on the CPU. Relu: merged away. What fails once fails always."""

    def __init__(self, threads: int) -> None:
        del threads
        self._broken = False

    @override
    def compile(self, path: Path, feeds: Mapping[str, Array], artifact: Path) -> CompiledModel:
        kinds = [node.op_type for node in onnx.load(path).graph.node]
        if "Softplus" in kinds:
            ctypes.string_at(0)
        if "Tanh" in kinds or self._broken:
            self._broken = True
            raise ModelFailedError("no room for Tanh")
        artifact.write_text(" ".join(kinds))
        return PickyCompiledModel(path, kinds)


class PickyCompiledModel(CompiledModel):
    """Runs on ONNX Runtime."""

    def __init__(self, path: Path, kinds: list[str]) -> None:
        self._model = OrtInferenceModel(path, 1)
        self.inputs = self._model.inputs
        self.units = tuple({"Softsign": "cpu", "Relu": ""}.get(kind, "npu") for kind in kinds)

    @override
    def infer(self, feeds: Mapping[str, Array]) -> list[Array]:
        return self._model.infer(feeds)


class Here(PythonEnvironment):
    """The environment of the tests."""

    name = "here"
    packages = ("picky==7",)

    @property
    @override
    def python(self) -> Path:
        return Path(sys.executable)

    @override
    def is_installed(self) -> bool:
        return True


class PickyTarget(ProcessCompiler):
    """The target of this compiler."""

    name = "picky-npu"
    unit = "npu"
    runtime = "tests.devices.worker.compiling:PickyCompiler"
    installation = Here
    package = "picky"
    hardware = "none"
    precision = "float32"
    emulated = True


class NowhereTarget(PickyTarget):
    """Its environment is not installed, and it has no emulator."""

    name = "nowhere"
    emulated = False

    class Nowhere(Here):
        name = "nowhere"

        @override
        def is_installed(self) -> bool:
            return False

    installation = Nowhere
