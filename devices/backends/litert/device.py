"""The device ``litert``: LiteRT with XNNPACK on the processor of this machine."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from typing_extensions import override

from devices.backends.litert.converter import convert
from devices.backends.litert.installation import LiteRtConverter
from devices.conversion import ConversionCache
from devices.device import Availability
from devices.worker.fixed_sizes import FixedSizesDevice

FILE_NAME = "model.tflite"


class LiteRtDevice(FixedSizesDevice):
    """LiteRT, float32, with a fixed number of threads (one by default); onnx2tf converts the models.

    ``infer`` takes ONNX files and TFLite files (``.tflite``).
    """

    name = "litert"
    format = "litert"
    suffix = Path(FILE_NAME).suffix
    runtime = "devices.backends.litert.runtime:LiteRt"
    package = "ai_edge_litert"
    install = 'pip install "latseg[litert]"'
    imports = ("flatbuffers", "onnxruntime")
    over_ssh = True

    @override
    def conversion(self) -> Availability:
        converter = LiteRtConverter()
        if converter.is_installed():
            return Availability(True)
        return Availability(False, f"{converter.purpose} is not installed", converter.remedy)

    @override
    def settings(self) -> tuple[tuple[str, str], ...]:
        return (("converter", LiteRtConverter.packages[0]),)

    @cached_property
    def _converted(self) -> ConversionCache:
        return ConversionCache(FILE_NAME, convert)

    @override
    def convert(self, onnx: Path) -> Path:
        return self._converted.get(onnx)
