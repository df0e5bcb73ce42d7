"""The format that the ruler reads: a compressed ONNX file."""

from __future__ import annotations

import zlib
from pathlib import Path

from typing_extensions import override

from export.bundle.manifest import BundleFile
from export.exporter import Exporter
from export.source import Source

from .device import SUFFIX


class DeflatedExporter(Exporter):
    """Compresses the ONNX file that was measured."""

    format = "deflated"
    file_name = f"model{SUFFIX}"
    device = "ruler"
    note = "zlib"

    @override
    def write(self, source: Source, folder: Path) -> BundleFile:
        content = zlib.compress((folder / "model.onnx").read_bytes())
        (folder / self.file_name).write_bytes(content)
        return self.entry(folder)
