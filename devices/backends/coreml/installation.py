"""Apple's converter, with the torch that it reads models from."""

from __future__ import annotations

from devices.installations.python_environment import PythonEnvironment
from devices.installations.worker_packages import WORKER_PACKAGES


class CoreMlInstallation(PythonEnvironment):
    """On Linux, torch as PyPI has it brings the libraries of CUDA, which are most of the download."""

    name = "coreml"
    purpose = "convert for Core ML, Apple's runtime"
    licence = "BSD-3-Clause; torch on Linux brings proprietary libraries of NVIDIA"
    download_mb = 2900
    packages = ("coremltools==9.0", "torch==2.13.0", *WORKER_PACKAGES)
