"""A net from elsewhere, such as a teacher, run by its own runtime in a process of its own.

A crash ends that process and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from devices.model_file import check_model
from devices.model_inputs import data_inputs
from devices.worker.client import WorkerClient
from devices.worker.inference import INFERENCE_TIMEOUT_S, InferenceProcess
from devices.worker.runtime import ModelFailedError
from foundation.errors import UserError

Shape = tuple[int | None, ...]
_COLOURS = 3


@dataclass(frozen=True, slots=True)
class _Runtime:
    name: str
    package: str
    install: str


_RUNTIMES: Mapping[str, _Runtime] = {
    ".onnx": _Runtime("devices.backends.ort.runtime:OnnxRuntime", "onnxruntime", "pip install onnxruntime"),
    ".tflite": _Runtime("devices.backends.litert.runtime:LiteRt", "ai_edge_litert", 'pip install "latseg[litert]"'),
}


class TeacherNet:
    """A net with one picture as its input; nothing is loaded before it is asked.

    Args:
        path: of a file in a format of ``_RUNTIMES``.
        threads: of the runtime.
        role: what errors call it.

    Raises:
        UserError: another format, or a runtime that is not installed.
    """

    def __init__(self, path: Path, threads: int, role: str = "teacher") -> None:
        self.path = path
        self.role = role
        self._runtime = runtime_of(path, role)
        self._threads = threads
        self._process: InferenceProcess | None = None

    @property
    def shape(self) -> Shape:
        """Of the input; None for a side of any length."""
        return self._input[1]

    @cached_property
    def dtype(self) -> np.dtype[np.generic]:
        """Of the input. Only ONNX files say it; other runtimes take float32 and convert it.

        Raises:
            UserError: as ``check_model``.
        """
        if self.path.suffix.lower() != ".onnx":
            return np.dtype(np.float32)
        from onnx import helper

        first = data_inputs(check_model(self.path).graph)[0]
        return np.dtype(helper.tensor_dtype_to_np_dtype(first.type.tensor_type.elem_type))

    @property
    def takes_whole_numbers(self) -> bool:
        """Whether its input is a picture's own numbers, 0 to 255.

        Raises:
            UserError: as ``check_model``.
        """
        return bool(np.issubdtype(self.dtype, np.integer))

    def run(self, values: NDArray[np.float32]) -> list[NDArray[np.generic]]:
        """The outputs for one picture. After a failure the next call starts a new process.

        Raises:
            ModelFailedError: the runtime fails, crashes or hangs.
            UserError: the file cannot be loaded, or is no net with one picture as its input.
        """
        name, _ = self._input
        # (7 / 255) / (1 / 255) is a little less than 7.
        exact = np.rint(values) if self.takes_whole_numbers else values
        try:
            return self._started().infer({name: exact.astype(self.dtype)})
        except ModelFailedError:
            self.close()
            raise

    def close(self) -> None:
        """Ends the process; the next call starts a new one."""
        if self._process is not None:
            self._process.close()
            self._process = None

    def _started(self) -> InferenceProcess:
        if self._process is None:
            process = InferenceProcess(WorkerClient(self._runtime.name, self._threads, INFERENCE_TIMEOUT_S))
            process.load(self.path, self.path)
            self._process = process
        return self._process

    @cached_property
    def _input(self) -> tuple[str, Shape]:
        _ = self.dtype  # a damaged file is refused before a runtime sees it
        try:
            inputs = self._started().inputs
        except ModelFailedError as error:
            raise UserError(
                f"{self.role} {self.path}",
                seen=error,
                expected="a net that its runtime loads",
                remedy="export it again",
            ) from error
        if len(inputs) == 1 and _takes_a_picture(inputs[0][1]):
            return inputs[0]
        seen = ", ".join(f"{name} {_text(shape)}" for name, shape in inputs)
        raise UserError(
            f"{self.role} {self.path}", seen=f"inputs {seen}", expected="one picture, 1x3xHxW or 1xHxWx3",
            remedy="export the net with such an input alone",
        )  # fmt: skip


def _takes_a_picture(shape: Shape) -> bool:
    return len(shape) == 4 and shape[0] in (1, None) and any(shape[axis] in (_COLOURS, None) for axis in (1, 3))


def _text(shape: Shape) -> str:
    return "x".join("?" if side is None else str(side) for side in shape)


def runtime_of(path: Path, role: str = "teacher") -> _Runtime:
    """The runtime of such a file.

    Raises:
        UserError: another format, or a runtime that is not installed.
    """
    runtime = _RUNTIMES.get(path.suffix.lower())
    if runtime is None:
        raise UserError(
            role, seen=path, expected=f"a file that ends in {' or '.join(_RUNTIMES)}",
            remedy="export the net to ONNX",
        )  # fmt: skip
    if find_spec(runtime.package) is None:
        raise UserError(
            f"{role} {path}", seen=f"no package {runtime.package}", expected="the runtime of such files",
            remedy=runtime.install,
        )  # fmt: skip
    return runtime
