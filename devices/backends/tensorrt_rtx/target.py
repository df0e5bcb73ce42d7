"""The compiled target ``tensorrt-rtx``: the builder of TensorRT for RTX, which needs no GPU."""

from __future__ import annotations

from devices.backends.tensorrt_rtx.installation import TensorRtRtxInstallation
from devices.worker.compiled_target import ProcessCompiler


class TensorRtRtxTarget(ProcessCompiler):
    """Engines for GPUs of compute capability 7.5 to 12.x with RTX; not for data centre GPUs such as Hopper."""

    name = "tensorrt-rtx"
    unit = "gpu"
    runtime = "devices.backends.tensorrt_rtx.compiler:TensorRtRtx"
    installation = TensorRtRtxInstallation
    package = "tensorrt-rtx-cu12-bindings"
    hardware = "NVIDIA RTX GPU"
    precision = "of the file"
