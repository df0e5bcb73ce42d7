"""OpenVINO reads the ONNX file itself."""

from __future__ import annotations

from pathlib import Path

from typing_extensions import override

from export.bundle.manifest import BundleFile
from export.exporter import Exporter
from export.source import Source


class OpenVinoExporter(Exporter):
    """Writes nothing; the ONNX file is checked on OpenVINO, too."""

    format = "openvino"
    file_name = "model.onnx"
    device = "openvino"
    note = "OpenVINO reads the ONNX file itself"

    @override
    def write(self, source: Source, folder: Path) -> BundleFile:
        return self.entry(folder)
