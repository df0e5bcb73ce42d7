"""What ``latseg install executorch`` brings: the runtime with the compiler, which is torch with many packages."""

from __future__ import annotations

from devices.installations.python_environment import PythonEnvironment
from devices.installations.worker_packages import DOCUMENTS, ONNX


class ExecuTorchEnvironment(PythonEnvironment):
    """On Linux, torch as PyPI has it brings the libraries of CUDA, which are most of the download."""

    name = "executorch"
    purpose = "ExecuTorch, the runtime and its compiler"
    licence = "BSD-3-Clause, Apache-2.0 and MIT; torch on Linux brings proprietary libraries of NVIDIA"
    download_mb = 2900
    packages = ("torch==2.13.0", "executorch==1.5.0", ONNX, *DOCUMENTS)
