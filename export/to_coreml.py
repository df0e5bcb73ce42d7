"""The ONNX file as an ML program for Apple's systems, and an example of its use."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from string import Template

from typing_extensions import override

from devices.backends.coreml.target import CoreMlTarget
from devices.device import Availability
from export.bundle.manifest import BundleFile
from export.exporter import Exporter
from export.source import INPUT_NAME, Pictures, Source
from export.to_onnx import LOGITS_NAME
from foundation.errors import UserError

EXAMPLE_NAME = "CoreMlSegmenter.swift"


class CoreMlExporter(Exporter):
    """A zip file with ``model.mlpackage``, in half precision; for a network that segments pictures a class in Swift."""

    format = "coreml"
    file_name = "model.mlpackage.zip"
    device = "coreml"
    precision = "float16"
    reads_onnx = False
    note = f"ML program for iOS 16 and macOS 13, float input; {EXAMPLE_NAME} is an example that was not executed"

    @override
    def availability(self) -> Availability:
        return CoreMlTarget().availability()

    @override
    def write(self, source: Source, folder: Path) -> BundleFile:
        inputs = {name: tensor.detach().cpu().numpy() for name, tensor in source.inputs.items()}
        try:
            CoreMlTarget().compile(folder / "model.onnx", inputs, folder / self.file_name)
        except UserError as error:
            raise UserError(
                f"export format {self.format}", seen=error.seen, expected=error.expected, remedy="export another format"
            ) from error
        if source.pictures:
            (folder / EXAMPLE_NAME).write_text(swift_example(source.pictures, source.size), encoding="utf-8")
        return self.entry(folder)


def swift_example(pictures: Pictures, size: tuple[int, int]) -> str:
    """A class in Swift that segments pictures with the file; ``size`` is height and width of the network's input."""
    template = Template(files("export").joinpath("coreml_example.txt").read_text(encoding="utf-8"))
    height, width = size
    return template.substitute(
        file=CoreMlExporter.file_name,
        height=height,
        width=width,
        input=INPUT_NAME,
        output=LOGITS_NAME,
        classes=", ".join(f'"{_escaped(name)}"' for name in pictures.classes),
        mean=", ".join(map(str, pictures.normalisation.mean)),
        std=", ".join(map(str, pictures.normalisation.std)),
    )


def _escaped(name: str) -> str:
    """As the content of a string literal of Swift, in which a backslash begins an expression."""
    return "".join(f"\\u{{{ord(each):x}}}" if each in '"\\' or not each.isprintable() else each for each in name)
