"""The ONNX file as a program of ExecuTorch."""

from __future__ import annotations

from pathlib import Path

from typing_extensions import override

from devices.backends.executorch.compiler import convert
from devices.backends.executorch.device import FILE_NAME, ExecuTorchDevice
from devices.backends.executorch.installation import ExecuTorchEnvironment
from devices.device import Availability
from export.bundle.manifest import BundleFile
from export.exporter import Exporter
from export.source import Source


class ExecuTorchExporter(Exporter):
    """Float32 for XNNPACK, as the device ``executorch`` runs it; the names of inputs lie in a file beside it."""

    format = "executorch"
    file_name = FILE_NAME
    device = "executorch"
    packages = ExecuTorchEnvironment.packages
    note = "for ExecuTorch with XNNPACK, float input, fixed size; model.executorch.json holds the names"

    @override
    def availability(self) -> Availability:
        return ExecuTorchDevice().availability()

    @override
    def write(self, source: Source, folder: Path) -> BundleFile:
        with self.converting():
            convert(folder / "model.onnx", folder / self.file_name)
        return self.entry(folder)
