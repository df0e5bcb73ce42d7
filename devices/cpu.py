"""The device ``cpu``: ONNX Runtime's CPU provider on this machine."""

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

if TYPE_CHECKING:
    import onnxruntime


class CpuDevice(ProcessDevice):
    """ONNX Runtime, float32, with a fixed number of threads (one by default)."""

    name = "cpu"
    runtime = "devices.onnxruntime_session:OnnxRuntime"

    def __init__(self, threads: int = 1) -> None:
        super().__init__(threads)
        self._loaded: tuple[tuple[str, int], onnxruntime.InferenceSession] | None = None

    def availability(self) -> Availability:
        """See ``Device``."""
        if find_spec("onnxruntime") is None:
            return Availability(False, "onnxruntime is not installed", "pip install onnxruntime")
        return Availability(True)

    def info(self) -> DeviceInfo:
        """See ``Device``."""
        self.require_available()
        return DeviceInfo(
            name=self.name,
            hardware=hardware.cpu_name(),
            runtime="onnxruntime",
            runtime_version=metadata.version("onnxruntime"),
            threads=self.threads,
            precision="float32",
            clock_mhz=hardware.clock_mhz(),
            load_average=hardware.load_average(),
        )

    def infer(self, path: Path, inputs: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
        """See ``Device``; the last model stays loaded."""
        from devices.onnxruntime_session import run_session
        from devices.session import SessionError

        self.require_available()
        session = self._session(path)
        feeds = checked_feeds(inputs, [(each.name, each.shape) for each in session.get_inputs()])
        try:
            return run_session(session, feeds)
        except SessionError as error:
            raise refused(path, error) from error

    def _session(self, path: Path) -> onnxruntime.InferenceSession:
        from devices.onnxruntime_session import open_session, session_options
        from devices.session import SessionError

        key = (str(path), path.stat().st_mtime_ns if path.exists() else 0)
        if self._loaded is None or self._loaded[0] != key:
            check_model(path)
            try:
                self._loaded = (key, open_session(str(path), session_options(self.threads)))
            except SessionError as error:
                raise refused(path, error) from error
        return self._loaded[1]
