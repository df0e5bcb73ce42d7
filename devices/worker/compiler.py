"""The contract of a vendor's compiler inside the worker process."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path

from typing_extensions import override

from devices.worker.runtime import Array, InferenceModel, LoadedModel, ModelFailedError, ModelFile, Runtime


class CompiledModel(InferenceModel):
    """A model that the compiler accepted; ``infer`` runs it in the vendor's emulator, and fails where there is none."""

    units: tuple[str, ...]
    """Compute unit of each node of the file, in its order; empty where the compiler does not name one."""


class Compiler(Runtime):
    """Compiles models; it neither times nor runs them on the hardware."""

    @abstractmethod
    def compile(self, path: Path, feeds: Mapping[str, Array], artifact: Path) -> CompiledModel:
        """Compiles an ONNX model for inputs of these shapes and writes what the vendor's runtime loads to ``artifact``.

        Args:
            path: the model.
            feeds: an array for each of its inputs; where the compiler needs ranges of numbers, they come from these.
            artifact: the file to write.

        Raises:
            ModelFailedError: the compiler refuses the model.
        """

    @override
    def load(self, file: ModelFile) -> LoadedModel:
        raise ModelFailedError("nothing is timed where the hardware is missing")

    @override
    def load_for_inference(self, path: Path) -> InferenceModel:
        raise ModelFailedError("it is compiled before it is run")
