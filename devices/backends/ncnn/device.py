"""The device ``ncnn``: ncnn's build for the processor of this machine."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from typing_extensions import override

from devices.backends.ncnn.convert import PARAM_NAME, convert_to_ncnn
from devices.backends.ncnn.converter_program import INSTALL, converter_availability
from devices.backends.ncnn.signature import SUFFIX
from devices.conversion import ConversionCache, require_converted
from devices.device import Availability
from devices.worker.device import ProcessDevice


class NcnnDevice(ProcessDevice):
    """ncnn, float32, with a fixed number of threads (one by default); pnnx converts the models.

    ``infer`` takes converted models, too.
    """

    name = "ncnn"
    runtime = "devices.backends.ncnn.runtime:Ncnn"
    package = "ncnn"
    format = "ncnn"
    install = INSTALL
    imports = ("onnxruntime",)
    over_ssh = True

    def __init__(self, *, threads: int = 1) -> None:
        super().__init__(threads=threads)
        self._converted = ConversionCache(PARAM_NAME, convert_to_ncnn)

    @override
    def conversion(self) -> Availability:
        return converter_availability()

    @override
    def settings(self) -> tuple[tuple[str, str], ...]:
        return (("converter", f"pnnx {metadata.version('pnnx')}"),)

    @override
    def convert(self, onnx: Path) -> Path:
        return self._converted.get(onnx)

    @override
    def file_for_inference(self, path: Path) -> Path:
        if path.suffix != Path(PARAM_NAME).suffix:
            return super().file_for_inference(path)
        for part in (path, *self.parts(path)):
            require_converted(part)
        return path

    @override
    def parts(self, path: Path) -> tuple[Path, ...]:
        return path.with_suffix(".bin"), path.with_suffix(SUFFIX)
