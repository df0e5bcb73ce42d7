"""The device ``cuda``: the first NVIDIA GPU of this machine, by torch and CUDA graphs."""

from __future__ import annotations

from dataclasses import replace
from importlib import metadata

from typing_extensions import override

from devices.backends.cuda.driver import NoGpuError, first_gpu
from devices.device import Availability
from devices.device_info import DeviceInfo
from devices.worker.device import ProcessDevice
from foundation.plugin_options import PluginOptions

_CPU_BUILD = "+cpu"


class CudaDevice(ProcessDevice):
    """torch on the GPU, float32, every run one replay of a CUDA graph.

    Timed is a replay until the GPU has finished; the input lies in the GPU's memory, and so do the outputs.
    """

    name = "cuda"
    runtime = "devices.backends.cuda.runtime:Cuda"
    package = "torch"
    compute_units = ("gpu",)
    computes_in_worker = False
    install = 'pip install "latseg[cuda]" and a build of torch with CUDA'

    class Options(PluginOptions):
        """None: one thread starts the GPU's work."""

    def __init__(self) -> None:
        super().__init__(threads=1)

    @override
    def availability(self) -> Availability:
        if metadata.version("torch").endswith(_CPU_BUILD):
            return Availability(False, "this build of torch has no CUDA", self.install)
        try:
            first_gpu()
        except NoGpuError as error:
            return Availability(False, str(error), f"{self.install}, on a machine with an NVIDIA GPU")
        return Availability(True)

    @override
    def info(self) -> DeviceInfo:
        info, gpu = super().info(), first_gpu()
        return replace(
            info, hardware=gpu.name, runtime="torch with CUDA graphs", clock_mhz=gpu.clock_mhz,
            settings=(("driver", gpu.driver),),
        )  # fmt: skip
