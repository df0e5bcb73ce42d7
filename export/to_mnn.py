"""The ONNX file as a file of MNN."""

from __future__ import annotations

from pathlib import Path

from typing_extensions import override

from devices.backends.mnn.converter import convert
from devices.backends.mnn.device import FILE_NAME, MnnDevice
from devices.device import Availability
from export.bundle.manifest import BundleFile
from export.exporter import Exporter
from export.source import Source


class MnnExporter(Exporter):
    """Float32, as the device ``mnn`` runs it."""

    format = "mnn"
    file_name = FILE_NAME
    device = "mnn"
    note = "for MNN, float input"

    @override
    def availability(self) -> Availability:
        return MnnDevice().availability()

    @override
    def write(self, source: Source, folder: Path) -> BundleFile:
        with self.converting():
            convert(folder / "model.onnx", folder / self.file_name)
        return self.entry(folder)
