"""What NVIDIA's driver says of the first GPU; asks its management library, which opens no context on the GPU."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec


class NoGpuError(Exception):
    """There is no GPU to be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """The first GPU."""

    name: str
    driver: str
    """Its version."""
    clock_mhz: float
    """Present clock of the multiprocessors."""


def first_gpu() -> Gpu:
    """The first GPU and its state.

    Raises:
        NoGpuError: no library, no driver or no GPU.
    """
    if find_spec("pynvml") is None:
        raise NoGpuError("nvidia-ml-py is not installed")
    import pynvml

    try:
        pynvml.nvmlInit()
        try:
            handle = pynvml.nvmlDeviceGetHandleByIndex(0)
            clock = pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM)
            return Gpu(pynvml.nvmlDeviceGetName(handle), pynvml.nvmlSystemGetDriverVersion(), float(clock))
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError as error:
        raise NoGpuError(f"no NVIDIA GPU with a driver ({error})") from error
