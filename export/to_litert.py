"""The ONNX file as a TFLite file, and an example of its use on Android."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from string import Template

from typing_extensions import override

from devices.backends.litert.converter import convert
from devices.backends.litert.device import FILE_NAME, LiteRtDevice
from devices.backends.litert.signature import Signature
from devices.device import Availability
from export.bundle.manifest import BundleFile
from export.exporter import Exporter
from export.source import Pictures, Source
from foundation.errors import UserError

EXAMPLE_NAME = "LiteRtSegmenter.kt"


class LiteRtExporter(Exporter):
    """Float32, as the device ``litert`` runs it; for a network that segments pictures also a class in Kotlin."""

    format = "litert"
    file_name = FILE_NAME
    device = "litert"
    note = f"for LiteRT, float input, fixed size; {EXAMPLE_NAME} is an example for Android that was not executed"

    @override
    def availability(self) -> Availability:
        return LiteRtDevice().availability()

    @override
    def write(self, source: Source, folder: Path) -> BundleFile:
        try:
            signature = convert(folder / "model.onnx", folder / self.file_name)
        except UserError as error:
            raise UserError(
                f"export format {self.format}", seen=error.seen, expected=error.expected, remedy="export another format"
            ) from error
        if source.pictures:
            (folder / EXAMPLE_NAME).write_text(kotlin_example(source.pictures, source.size, signature))
        return self.entry(folder)


def kotlin_example(pictures: Pictures, size: tuple[int, int], signature: Signature) -> str:
    """A class in Kotlin that segments pictures with the file; ``size`` is height and width of the network's input."""
    template = Template(files("export").joinpath("litert_example.txt").read_text())
    height, width = size
    return template.substitute(
        file=FILE_NAME,
        height=height,
        width=width,
        classes=", ".join(f'"{_escaped(name)}"' for name in pictures.classes),
        mean=", ".join(f"{each}f" for each in pictures.normalisation.mean),
        std=", ".join(f"{each}f" for each in pictures.normalisation.std),
        channels_last=str(signature.outputs[0].channels_last).lower(),
    )


def _escaped(name: str) -> str:
    """As the content of a string literal of Kotlin, in which a dollar begins an expression."""
    return "".join(f"\\u{ord(each):04x}" if each in '"\\$' or not each.isprintable() else each for each in name)
