"""The ONNX file as ncnn reads it."""

from __future__ import annotations

from pathlib import Path

from typing_extensions import override

from devices.backends.ncnn.convert import PARAM_NAME, convert_to_ncnn
from devices.backends.ncnn.converter_program import converter_availability
from devices.device import Availability
from export.bundle.manifest import BundleFile
from export.exporter import Exporter
from export.source import Source


class NcnnExporter(Exporter):
    """Layers, weights and signature in three files; blobs are called ``in0``, ``in1``, ..., ``out0``, ..."""

    format = "ncnn"
    file_name = PARAM_NAME
    device = "ncnn"
    note = "float input, fixed size; model.ncnn.bin holds the weights, model.ncnn.json the names"

    @override
    def availability(self) -> Availability:
        return converter_availability()

    @override
    def write(self, source: Source, folder: Path) -> BundleFile:
        path = folder / self.file_name
        convert_to_ncnn(folder / "model.onnx", path)
        return self.entry(folder)
