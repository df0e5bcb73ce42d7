import pytest

from devices.backends.ort.device import CpuDevice
from devices.device import Device
from latseg.testing.device_contract import RuntimeContract


class TestCpu(RuntimeContract):
    runtime_modules = ("onnxruntime", "onnx", "torch")
    construct = "from devices.registry import get_device; get_device('cpu').availability()"

    @pytest.fixture(scope="class")
    @classmethod
    def device(cls) -> Device:
        return CpuDevice()
