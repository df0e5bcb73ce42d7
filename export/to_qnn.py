"""The network quantised for the NPU of Snapdragon processors, and its context binary."""

from __future__ import annotations

from pathlib import Path

from typing_extensions import override

from devices.backends.qnn.installation import QnnInstallation
from devices.backends.qnn.quantise import quantise
from devices.backends.qnn.target import QnnTarget
from devices.device import Availability
from devices.profiled_model import load_named
from export.bundle.examples import natural_inputs
from export.bundle.manifest import BundleFile
from export.exporter import Exporter
from export.source import Source
from foundation.errors import UserError

CONTEXT_NAME = "model.qnn.context.onnx"


class QnnExporter(Exporter):
    """QDQ nodes: activations of 16 bits by the ranges of a smooth picture and the photographs, weights of 8 bits."""

    format = "qnn"
    file_name = "model.qnn.onnx"
    device = "qnn"
    precision = "w8a16"
    packages = QnnInstallation.packages
    reads_onnx = False
    note = f"float input; {CONTEXT_NAME} is compiled; parity was shown in Qualcomm's emulator, not on the hardware"

    @override
    def availability(self) -> Availability:
        return QnnTarget().availability()

    @override
    def write(self, source: Source, folder: Path) -> BundleFile:
        source.require_pictures(self.format)
        examples, path, target = natural_inputs(source), folder / self.file_name, QnnTarget()
        quantise(load_named(folder / "model.onnx")[0], examples, path)
        units = set(target.compile(path, examples[0], folder / CONTEXT_NAME)) - {""}
        if units != {target.unit}:
            raise UserError(
                f"export format {self.format}", seen=f"operators on {', '.join(sorted(units))}",
                expected=f"all on the {target.unit}", remedy="see `latseg check model.onnx --device qnn`",
            )  # fmt: skip
        return self.entry(folder).model_copy(update={"compute_units": tuple(units)})
