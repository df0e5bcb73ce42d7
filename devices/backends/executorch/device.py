"""The device ``executorch``: ExecuTorch with XNNPACK on the processor of this machine."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from typing_extensions import override

from devices.backends.executorch.compiler import convert
from devices.backends.executorch.installation import ExecuTorchEnvironment
from devices.conversion import ConversionCache
from devices.device import Availability
from devices.worker.fixed_sizes import FixedSizesDevice
from devices.worker.transport import LocalTransport, Transport

FILE_NAME = "model.executorch.pte"


class ExecuTorchDevice(FixedSizesDevice):
    """ExecuTorch, float32, with a fixed number of threads (one by default); worker and compiler run in its environment.

    ``infer`` takes ONNX files and programs (``.pte``).
    """

    name = "executorch"
    format = "executorch"
    suffix = Path(FILE_NAME).suffix
    runtime = "devices.backends.executorch.runtime:ExecuTorch"
    package = "executorch"
    install = ExecuTorchEnvironment().remedy

    @override
    def installed(self) -> Availability:
        environment = ExecuTorchEnvironment()
        if environment.is_installed():
            return Availability(True)
        return Availability(False, f"{environment.purpose}, is not installed", environment.remedy)

    @override
    def settings(self) -> tuple[tuple[str, str], ...]:
        return (("compiler", ExecuTorchEnvironment.packages[0]),)

    @override
    def runtime_version(self) -> str:
        return ExecuTorchEnvironment().version(self.package)

    @override
    def transport(self) -> Transport:
        return LocalTransport(python=ExecuTorchEnvironment().python)

    @cached_property
    def _converted(self) -> ConversionCache:
        return ConversionCache(FILE_NAME, convert)

    @override
    def convert(self, onnx: Path) -> Path:
        return self._converted.get(onnx)
