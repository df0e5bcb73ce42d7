"""ONNX Runtime that crashes on a picture whose first pixel is white."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path

from typing_extensions import override

from devices.backends.ort.runtime import OnnxRuntime, OrtInferenceModel
from devices.worker.runtime import Array


class CrashingRuntime(OnnxRuntime):
    @override
    def load_for_inference(self, path: Path) -> OrtInferenceModel:
        return CrashingModel(path, 1)


class CrashingModel(OrtInferenceModel):
    @override
    def infer(self, feeds: Mapping[str, Array]) -> list[Array]:
        (image,) = feeds.values()
        if image[0, :, 0, 0].min() > 0.99:
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().infer(feeds)
