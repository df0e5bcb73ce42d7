"""A TFLite file that LiteRT has loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from devices.backends.litert.signature import read_signature
from devices.worker.runtime import Array, InputShapes, ModelFailedError, one_line

_DEFAULT, _WITHOUT_DELEGATES = "AUTO", "BUILTIN_WITHOUT_DEFAULT_DELEGATES"
"""Of ``OpResolverType``."""


class LiteRtSession:
    """An interpreter with XNNPACK, in float32.

    Args:
        path: of the file.
        threads: of XNNPACK.
        keep_tensors: whether each operator's outputs can be read after a run. XNNPACK keeps none, so it is left out.

    Raises:
        ModelFailedError: LiteRT refuses the file.
    """

    def __init__(self, path: Path, threads: int, *, keep_tensors: bool = False) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        resolver = OpResolverType[_WITHOUT_DELEGATES if keep_tensors else _DEFAULT]
        try:
            self._interpreter = Interpreter(
                model_path=str(path),
                num_threads=threads,
                experimental_op_resolver_type=resolver,
                experimental_preserve_all_tensors=keep_tensors,
            )
            self._interpreter.allocate_tensors()
            self._inputs = {each["name"]: each for each in self._interpreter.get_input_details()}
            self._outputs = {each["name"]: each for each in self._interpreter.get_output_details()}
        except Exception as error:  # LiteRT raises ValueError and RuntimeError, and classes of its own
            raise ModelFailedError(one_line(error)) from error
        self._signature = read_signature(path)

    @property
    def input_shapes(self) -> InputShapes:
        """Of the ONNX model; of the file where it was not made of one."""
        if self._signature:
            return self._signature.inputs
        return tuple((name, _sizes(each)) for name, each in self._inputs.items())

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names in the order of ``run``."""
        return tuple(each.name for each in self._signature.outputs) if self._signature else tuple(self._outputs)

    def fill(self, feeds: Mapping[str, Array]) -> None:
        """Takes the values of every input.

        Raises:
            ModelFailedError: LiteRT has no such input, or refuses the values.
        """
        try:
            for name, values in feeds.items():
                self._feed(self._inputs[name], values)
        except Exception as error:  # as above
            raise ModelFailedError(one_line(error)) from error

    def run(self) -> list[Array]:
        """One inference; outputs as they are in the file, which are copies.

        Raises:
            ModelFailedError: LiteRT fails.
        """
        try:
            self._interpreter.invoke()
            return [np.asarray(self._interpreter.get_tensor(self._outputs[name]["index"])) for name in self.outputs]
        except Exception as error:  # as above
            raise ModelFailedError(one_line(error)) from error

    def infer(self, feeds: Mapping[str, Array]) -> list[Array]:
        """One inference; outputs as the ONNX model has them.

        Raises:
            ModelFailedError: LiteRT fails.
        """
        self.fill(feeds)
        answers = [_number(each, self._outputs[name]) for name, each in zip(self.outputs, self.run(), strict=True)]
        if not self._signature:
            return answers
        return [each.restored(answer) for each, answer in zip(self._signature.outputs, answers, strict=True)]

    @property
    def fed(self) -> dict[str, Array]:
        """The inputs as the file takes them."""
        return {name: self._interpreter.get_tensor(each["index"]) for name, each in self._inputs.items()}

    def tensor(self, index: int) -> Array:
        """What an operator of a session with ``keep_tensors`` wrote in the last run, by the tensor's place."""
        value: Array = self._interpreter.get_tensor(index)
        return value

    def _feed(self, detail: Mapping[str, Any], values: Array) -> None:
        shape = tuple(detail["shape"])
        if self._signature and values.size == np.prod(shape):
            values = values.reshape(shape)  # a scalar is a vector of one number there
        elif shape != values.shape:
            self._interpreter.resize_tensor_input(detail["index"], values.shape)
            self._interpreter.allocate_tensors()
        self._interpreter.set_tensor(detail["index"], _quantised(values, detail))


def _sizes(detail: Mapping[str, Any]) -> tuple[int | None, ...]:
    """Dimensions; the signature has -1 for one of any size."""
    signature = detail.get("shape_signature", detail["shape"])
    return tuple(None if size < 0 else int(size) for size in signature)


def _quantised(values: Array, detail: Mapping[str, Any]) -> Array:
    scale, zero = detail["quantization"]
    kind = np.dtype(detail["dtype"])
    if not scale:
        return _cast(values, kind)
    limits = np.iinfo(kind)
    whole: Array = np.clip(np.rint(values.astype(np.float32) / scale + zero), limits.min, limits.max).astype(kind)
    return whole


def _cast(values: Array, kind: np.dtype[np.generic]) -> Array:
    cast: Array = values.astype(kind)
    if kind.kind in "iu" and not np.array_equal(cast, values):
        raise ValueError(f"numbers that do not fit into {kind.name}")
    return cast


def _number(values: Array, detail: Mapping[str, Any]) -> Array:
    scale, zero = detail["quantization"]
    return np.asarray((values.astype(np.float32) - zero) * scale, np.float32) if scale else values
