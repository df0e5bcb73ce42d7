"""The device ``mnn``: MNN's CPU kernels on this machine."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from typing_extensions import override

from devices.backends.mnn.converter import convert
from devices.conversion import ConversionCache, require_converted
from devices.device import Availability
from devices.worker.device import ProcessDevice

FILE_NAME = "model.mnn"


class MnnDevice(ProcessDevice):
    """MNN, float32, with a fixed number of threads (one by default).

    ``infer`` takes ONNX files and MNN files (``.mnn``). Whole numbers and truth values come out as int32.
    """

    name = "mnn"
    format = "mnn"
    runtime = "devices.backends.mnn.runtime:Mnn"
    package = "MNN"
    install = 'pip install "latseg[mnn]"'
    imports = ("flatbuffers",)
    over_ssh = True

    @override
    def conversion(self) -> Availability:
        """MNN converts models itself."""
        return self.installed()

    @cached_property
    def _converted(self) -> ConversionCache:
        return ConversionCache(FILE_NAME, convert)

    @override
    def convert(self, onnx: Path) -> Path:
        return self._converted.get(onnx)

    @override
    def file_for_inference(self, path: Path) -> Path:
        if path.suffix != ".mnn":
            return super().file_for_inference(path)
        require_converted(path)
        return path
