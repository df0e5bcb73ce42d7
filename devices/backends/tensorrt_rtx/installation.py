"""The builder of TensorRT for RTX, which comes in the wheel of ONNX Runtime's provider, and its Python bindings."""

from __future__ import annotations

from devices.installations.python_environment import PythonEnvironment
from devices.installations.worker_packages import WORKER_PACKAGES


class TensorRtRtxInstallation(PythonEnvironment):
    """Libraries and bindings of the same version."""

    name = "tensorrt-rtx"
    purpose = "compile for NVIDIA RTX GPUs"
    licence = "proprietary (NVIDIA)"
    download_mb = 230
    packages = (
        "onnxruntime-ep-nv-tensorrt-rtx-cu12==0.5.0",
        "tensorrt-rtx-cu12-bindings==1.7.1.116",
        *WORKER_PACKAGES,
    )
