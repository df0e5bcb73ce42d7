"""A net that MNN has loaded, with the host memory that its inputs come from and its outputs go to."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

import numpy as np

from devices.backends.mnn.net import read_net
from devices.worker.runtime import Array, ModelFailedError, one_line

_STDOUT = 1
_NORMAL, _HIGH = 0, 1
"""Of MNN's ``BackendConfig``; it ignores names where it wants numbers."""
_RESIZE_STATUS = 3
"""Of MNN's ``SessionInfoCode``; 0 stands for a net that is ready to run."""

CallBack = Callable[[list[Any], Any], bool]
"""Called with the tensors and the ``OpInfo`` of a command, before it (its inputs) or after it (its outputs)."""


class MnnSession:
    """A loaded net on the CPU: float32, a fixed number of threads.

    Precision "high" is float32 everywhere (else Arm processors compute in half precision); memory "normal" keeps the
    weights as they are in the file, and power "normal" binds no thread to a core.

    Raises:
        ModelFailedError: MNN refuses the file.
    """

    def __init__(self, path: Path, threads: int) -> None:
        import MNN

        self._mnn = MNN
        self._reason = ""
        settings = {"backend": "CPU", "numThread": threads, "precision": _HIGH, "memory": _NORMAL, "power": _NORMAL}
        with self._listening():
            self._interpreter = MNN.Interpreter(str(path))
            self._session = self._interpreter.createSession(settings)
        net = read_net(path)
        self._inputs = _in_order(net.inputs, self._interpreter.getSessionInputAll(self._session))
        self._outputs = _in_order(net.outputs, self._interpreter.getSessionOutputAll(self._session))
        self._sources: dict[str, Any] = {}
        self._targets: dict[str, Any] = {}

    @property
    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """In the order of the ONNX model; negative for a dimension that is not known yet."""
        return {name: tuple(tensor.getShape()) for name, tensor in self._inputs.items()}

    @property
    def output_shapes(self) -> dict[str, tuple[int, ...]]:
        """In the order of the ONNX model; known from ``fill`` on."""
        return {name: tuple(tensor.getShape()) for name, tensor in self._outputs.items()}

    def fill(self, feeds: Mapping[str, Array]) -> None:
        """Takes the values of every input and gives the net their shapes.

        Raises:
            ModelFailedError: MNN refuses the shapes, or has no type for the numbers.
        """
        self._resize({name: array.shape for name, array in feeds.items()})
        if self._interpreter.getSessionInfo(self._session, _RESIZE_STATUS):
            raise ModelFailedError(self._reason or "MNN finds no shapes for the tensors of the net")
        self._sources = {name: self._host(self._inputs[name], name, array) for name, array in feeds.items()}
        # The order of dimensions is that of ONNX, whatever layout the net has inside.
        order = self._mnn.Tensor_DimensionType_Caffe
        self._targets = {name: self._mnn.Tensor(tensor, order) for name, tensor in self._outputs.items()}

    def run(self, before: CallBack | None = None, after: CallBack | None = None) -> list[Array]:
        """One inference; outputs in the order of the ONNX model, which the next one overwrites.

        Raises:
            ModelFailedError: MNN fails.
        """
        for name, source in self._sources.items():
            if not self._inputs[name].copyFrom(source):
                raise ModelFailedError(f"MNN does not take the input {name!r}")
        if before is None:
            code = self._interpreter.runSession(self._session)
        else:
            code = self._interpreter.runSessionWithCallBackInfo(self._session, before, after)
        if code:
            raise ModelFailedError(f"MNN ends a run with error {code}")
        return [self._answer(name, target) for name, target in self._targets.items()]

    def _resize(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        unknown = shapes.keys() ^ self._inputs.keys()
        if unknown:
            raise ModelFailedError(f"the inputs {sorted(unknown)} are not those of the converted net")
        if shapes == self.input_shapes:
            return
        with self._listening():
            for name, shape in shapes.items():
                self._interpreter.resizeTensor(self._inputs[name], shape)
            self._interpreter.resizeSession(self._session)

    def _host(self, tensor: Any, name: str, array: Array) -> Any:
        """The values in host memory, as numbers of the type that the net has for them."""
        mnn, kind = self._mnn, tensor.getDataType()
        known = {np.float32: mnn.Halide_Type_Float, np.int32: mnn.Halide_Type_Int, np.uint8: mnn.Halide_Type_Uint8}
        dtype = next((dtype for dtype, type_ in known.items() if type_ == kind), None)
        if dtype is None or array.dtype.kind not in "fiub":
            raise ModelFailedError(f"MNN takes no {array.dtype} for the input {name!r}")
        values = np.asarray(array, dtype, order="C")
        if dtype != np.float32 and not np.array_equal(values, array):
            raise ModelFailedError(f"the input {name!r} has numbers that do not fit into {np.dtype(dtype).name}")
        return mnn.Tensor(values.shape, kind, values, mnn.Tensor_DimensionType_Caffe)

    def _answer(self, name: str, target: Any) -> Array:
        """A view of the host memory of one output."""
        if not self._outputs[name].copyToHostTensor(target):
            raise ModelFailedError(f"MNN does not return the output {name!r}")
        values: Array = target.getNumpyData()
        return values

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Keeps MNN off stdout; its last line names the operator at fault, which its errors and codes do not."""
        _flush()
        kept = os.dup(_STDOUT)
        with TemporaryFile() as printed:
            os.dup2(printed.fileno(), _STDOUT)
            try:
                yield
            except Exception as error:  # MNN raises plain exceptions
                raise ModelFailedError(_last_line(printed) or one_line(error)) from error
            else:
                self._reason = _last_line(printed)
            finally:
                os.dup2(kept, _STDOUT)
                os.close(kept)


def _in_order(names: Sequence[str], tensors: Mapping[str, Any]) -> dict[str, Any]:
    """MNN sorts its tensors by name, and has none for an input that nothing reads."""
    missing = [name for name in names if name not in tensors]
    if missing:
        raise ModelFailedError(f"MNN leaves out {', '.join(missing)}, which no operator reads or makes")
    return {name: tensors[name] for name in names}


def _last_line(printed: BinaryIO) -> str:
    _flush()
    printed.seek(0)
    lines = printed.read().decode(errors="replace").split("\n")
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")


def _flush() -> None:
    """Writes out what C's library still holds back: it does so where stdout is no terminal."""
    ctypes.CDLL(None).fflush(None)
