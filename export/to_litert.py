"""The ONNX file as a TFLite file, and an example of its use on Android."""

from __future__ import annotations

from pathlib import Path

from typing_extensions import override

from devices.backends.litert.converter import convert
from devices.backends.litert.device import FILE_NAME, LiteRtDevice
from devices.backends.litert.installation import LiteRtConverter
from devices.device import Availability
from export.bundle.manifest import BundleFile
from export.exporter import Exporter
from export.phone_examples import KOTLIN_NAME, kotlin_example
from export.source import Source


class LiteRtExporter(Exporter):
    """Float32, as the device ``litert`` runs it; for a network that segments pictures also a class in Kotlin."""

    format = "litert"
    file_name = FILE_NAME
    device = "litert"
    packages = LiteRtConverter.packages
    note = f"for LiteRT, float input, fixed size; {KOTLIN_NAME} is an example for Android that was not executed"

    @override
    def availability(self) -> Availability:
        return LiteRtDevice().availability()

    @override
    def write(self, source: Source, folder: Path) -> BundleFile:
        with self.converting():
            signature = convert(folder / "model.onnx", folder / self.file_name)
        if source.pictures:
            channels_last = signature.outputs[0].channels_last
            text = kotlin_example(source.pictures, source.size, channels_last=channels_last)
            (folder / KOTLIN_NAME).write_text(text, encoding="utf-8")
        return self.entry(folder)
