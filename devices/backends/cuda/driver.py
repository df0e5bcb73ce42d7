"""What NVIDIA's driver says of the first GPU; asks its management library, which opens no context on the GPU."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any


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
    """The first GPU that ``CUDA_VISIBLE_DEVICES`` shows, and its state.

    Raises:
        NoGpuError: no library, no driver or no GPU.
    """
    if find_spec("pynvml") is None:
        raise NoGpuError("nvidia-ml-py is not installed")
    import pynvml

    try:
        pynvml.nvmlInit()
        try:
            handle = _visible()
            clock = pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM)
            return Gpu(pynvml.nvmlDeviceGetName(handle), pynvml.nvmlSystemGetDriverVersion(), float(clock))
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError as error:
        raise NoGpuError(f"no NVIDIA GPU with a driver ({error})") from error


def _visible() -> Any:
    """The library's handle of the GPU that torch takes first."""
    import pynvml

    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    first = "0" if shown is None else shown.partition(",")[0].strip()
    if first.isdecimal():
        return pynvml.nvmlDeviceGetHandleByIndex(int(first))
    if first.startswith("GPU-"):
        return pynvml.nvmlDeviceGetHandleByUUID(first)
    raise NoGpuError(f"CUDA_VISIBLE_DEVICES={shown!r} names no GPU")
