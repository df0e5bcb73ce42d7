"""ONNX Runtime with its provider QNN, a pair of versions that was tried together."""

from __future__ import annotations

from devices.installations.python_environment import PythonEnvironment
from devices.installations.worker_packages import WORKER_PACKAGES


class QnnInstallation(PythonEnvironment):
    """The provider carries Qualcomm's compiler and its emulator for x86."""

    name = "qnn"
    purpose = "compile for the NPU of Snapdragon processors"
    licence = "proprietary (Qualcomm); ONNX Runtime: MIT"
    download_mb = 190
    packages = ("onnxruntime-qnn==2.7.0", "onnxruntime==1.32.0", *WORKER_PACKAGES)
