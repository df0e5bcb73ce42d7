"""The device ``openvino``: OpenVINO's CPU plugin on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from devices import hardware
from devices.device import Availability
from devices.device_info import DeviceInfo
from devices.feeding import checked_feeds, refused
from devices.model_file import check_model
from devices.process_device import ProcessDevice
from devices.session import SessionError

if TYPE_CHECKING:
    import openvino


class OpenVinoDevice(ProcessDevice):
    """OpenVINO, float32, with a fixed number of threads (one by default)."""

    name = "openvino"
    runtime = "devices.openvino_session:OpenVino"

    def __init__(self, threads: int = 1) -> None:
        super().__init__(threads)
        self._loaded: tuple[tuple[str, int], openvino.CompiledModel] | None = None

    def availability(self) -> Availability:
        """See ``Device``."""
        if find_spec("openvino") is None:
            return Availability(False, "openvino is not installed", 'pip install "latseg[openvino]"')
        return Availability(True)

    def info(self) -> DeviceInfo:
        """See ``Device``."""
        self.require_available()
        return DeviceInfo(
            name=self.name,
            hardware=hardware.cpu_name(),
            runtime="openvino",
            runtime_version=metadata.version("openvino"),
            threads=self.threads,
            precision="float32",
            clock_mhz=hardware.clock_mhz(),
            load_average=hardware.load_average(),
        )

    def infer(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
        """See ``Device``; the last model stays compiled."""
        from devices.openvino_session import infer

        self.require_available()
        compiled = self._compiled(path)
        expected = [(each.get_any_name(), _dimensions(each)) for each in compiled.inputs]
        feeds = checked_feeds(inputs, expected)
        try:
            return [np.array(output) for output in infer(compiled.create_infer_request(), feeds)]
        except SessionError as error:
            raise refused(path, error) from error

    def _compiled(self, path: Path) -> openvino.CompiledModel:
        from devices.openvino_session import compile_model, settings

        key = (str(path), path.stat().st_mtime_ns if path.exists() else 0)
        if self._loaded is None or self._loaded[0] != key:
            check_model(path)
            try:
                self._loaded = (key, compile_model(str(path), {}, settings(self.threads)))
            except SessionError as error:
                raise refused(path, error) from error
        return self._loaded[1]


def _dimensions(port: openvino.ConstOutput) -> list[int | None]:
    return [None if size.is_dynamic else size.get_length() for size in port.get_partial_shape()]
