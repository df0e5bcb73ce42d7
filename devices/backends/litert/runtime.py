"""LiteRT, inside the worker process: it runs TFLite files and times none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import override

from devices.worker.runtime import Array, InferenceModel, LoadedModel, ModelFailedError, ModelFile, Runtime, one_line


class LiteRt(Runtime):
    """Loads models into LiteRT."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    @override
    def load(self, file: ModelFile) -> LoadedModel:
        raise ModelFailedError("LiteRT runs nets here, it does not time them")

    @override
    def load_for_inference(self, path: Path) -> LiteRtModel:
        return LiteRtModel(path, self._threads)


class LiteRtModel(InferenceModel):
    """An interpreter; inputs and outputs are float32, whatever the file's own types are."""

    def __init__(self, path: Path, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._interpreter = Interpreter(model_path=str(path), num_threads=threads)
            self._interpreter.allocate_tensors()
            self._details = {each["name"]: each for each in self._interpreter.get_input_details()}
        except Exception as error:  # LiteRT raises ValueError and RuntimeError, and classes of its own
            raise ModelFailedError(one_line(error)) from error
        self.inputs = tuple((name, _sizes(each)) for name, each in self._details.items())

    @override
    def infer(self, feeds: Mapping[str, Array]) -> list[Array]:
        try:
            for name, values in feeds.items():
                self._feed(self._details[name], values)
            self._interpreter.invoke()
            return [self._answer(each) for each in self._interpreter.get_output_details()]
        except Exception as error:  # as above
            raise ModelFailedError(one_line(error)) from error

    def _feed(self, detail: Mapping[str, Any], values: Array) -> None:
        if tuple(detail["shape"]) != values.shape:
            self._interpreter.resize_tensor_input(detail["index"], values.shape)
            self._interpreter.allocate_tensors()
        self._interpreter.set_tensor(detail["index"], _quantised(values, detail))

    def _answer(self, detail: Mapping[str, Any]) -> Array:
        values: Array = self._interpreter.get_tensor(detail["index"])
        scale, zero = detail["quantization"]
        return np.asarray((values.astype(np.float32) - zero) * scale, np.float32) if scale else values


def _sizes(detail: Mapping[str, Any]) -> tuple[int | None, ...]:
    """Dimensions; the signature has -1 for one of any size."""
    signature = detail.get("shape_signature", detail["shape"])
    return tuple(None if size < 0 else int(size) for size in signature)


def _quantised(values: Array, detail: Mapping[str, Any]) -> Array:
    scale, zero = detail["quantization"]
    kind = np.dtype(detail["dtype"])
    if not scale:
        return values.astype(kind)
    limits = np.iinfo(kind)
    whole: Array = np.clip(np.rint(values.astype(np.float32) / scale + zero), limits.min, limits.max).astype(kind)
    return whole
