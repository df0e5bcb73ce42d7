"""What another package brings: an exporter whose files only its own device reads."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from devices.device import Availability
from export.bundle.manifest import BundleFile
from export.exporter import Exporter
from export.source import Source
from foundation.errors import UserError
from foundation.plugin_options import PluginOptions
from tests.export.runtime_device import RuntimeDevice


class PackedExporter(Exporter):
    class Options(PluginOptions):
        level: int = 9
        usable: bool = True

    format = "packed"
    file_name = "packed/model.gz"
    device = "unpacker"
    note = "compressed"

    def __init__(self, *, level: int = 9, usable: bool = True) -> None:
        self.level = level
        self.usable = usable

    def availability(self) -> Availability:
        return Availability(self.usable, "" if self.usable else "no gzip here", "" if self.usable else "install gzip")

    def write(self, source: Source, folder: Path) -> BundleFile:
        path = folder / self.file_name
        path.parent.mkdir()
        path.write_bytes(gzip.compress((folder / "model.onnx").read_bytes(), self.level, mtime=0))
        (path.parent / "second.txt").write_text("files may come in pairs")
        return self.entry(folder)


@dataclass
class Unpacker(RuntimeDevice):
    name: str = "unpacker"

    def infer(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
        try:
            content = gzip.decompress(path.read_bytes())
        except gzip.BadGzipFile as error:
            raise UserError("model", seen=path, expected="a packed file", remedy="export it as packed") from error
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "model.onnx").write_bytes(content)
            return super().infer(Path(folder) / "model.onnx", inputs)
