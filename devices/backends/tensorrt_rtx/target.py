"""The compiled target ``tensorrt-rtx``: the builder of TensorRT for RTX, which needs no GPU."""

from __future__ import annotations

from devices.backends.tensorrt_rtx.installation import TensorRtRtxInstallation
from devices.worker.compiled_target import ProcessCompiler


class TensorRtRtxTarget(ProcessCompiler):
    """Engines as the builder makes them unless a compute capability is named; Turing (7.5) would have to be.

    Source: NVIDIA's documentation of TensorRT for RTX, "CPU-Only AOT and TensorRT-RTX Engines".
    """

    name = "tensorrt-rtx"
    unit = "gpu"
    runtime = "devices.backends.tensorrt_rtx.compiler:TensorRtRtx"
    installation = TensorRtRtxInstallation
    package = "tensorrt-rtx-cu12-bindings"
    hardware = "NVIDIA RTX GPUs of compute capability 8.0 and newer"
    precision = "of the file"
