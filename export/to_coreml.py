"""The ONNX file as an ML program for Apple's systems, and an example of its use."""

from __future__ import annotations

from pathlib import Path

from typing_extensions import override

from devices.backends.coreml.installation import CoreMlInstallation
from devices.backends.coreml.target import CoreMlTarget
from devices.device import Availability
from export.bundle.manifest import BundleFile
from export.exporter import Exporter
from export.phone_examples import COREML_FILE_NAME, SWIFT_NAME, swift_example
from export.source import Source


class CoreMlExporter(Exporter):
    """A zip file with ``model.mlpackage``, in half precision; for a network that segments pictures a class in Swift."""

    format = "coreml"
    file_name = COREML_FILE_NAME
    device = "coreml"
    precision = "float16"
    packages = CoreMlInstallation.packages
    reads_onnx = False
    note = f"ML program for iOS 16 and macOS 13, float input; {SWIFT_NAME} is an example that was not executed"

    @override
    def availability(self) -> Availability:
        return CoreMlTarget().availability()

    @override
    def write(self, source: Source, folder: Path) -> BundleFile:
        inputs = {name: tensor.detach().cpu().numpy() for name, tensor in source.inputs.items()}
        with self.converting():
            CoreMlTarget().compile(folder / "model.onnx", inputs, folder / self.file_name)
        if source.pictures:
            (folder / SWIFT_NAME).write_text(swift_example(source.pictures, source.size), encoding="utf-8")
        return self.entry(folder)
