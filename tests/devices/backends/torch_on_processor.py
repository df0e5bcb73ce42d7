"""The device ``cuda`` without a GPU: the same steps of torch, executed by the processor."""

from devices.backends.cuda.device import CudaDevice
from devices.backends.cuda.runtime import Cuda
from devices.device import Availability
from devices.device_info import DeviceInfo
from devices.worker.device import ProcessDevice


class OnProcessor(Cuda):
    device = "cpu"


class ProcessorDevice(CudaDevice):
    name = "torch on the processor"
    runtime = "tests.devices.backends.torch_on_processor:OnProcessor"

    def availability(self) -> Availability:
        return Availability(True)

    def info(self) -> DeviceInfo:
        return ProcessDevice.info(self)
