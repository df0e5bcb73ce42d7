"""The device ``cpu``: ONNX Runtime's CPU provider on this machine."""

from __future__ import annotations

from importlib import metadata
from importlib.util import find_spec

from devices import hardware
from devices.device import Availability
from devices.device_info import DeviceInfo
from devices.protocol import PROTOCOL_VERSION
from devices.worker.device import ProcessDevice


class CpuDevice(ProcessDevice):
    """ONNX Runtime, float32, with a fixed number of threads (one by default)."""

    name = "cpu"
    runtime = "devices.backends.ort.session:OnnxRuntime"

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
            protocol_version=PROTOCOL_VERSION,
            clock_mhz=hardware.clock_mhz(),
            load_average=hardware.load_average(),
        )
