"""The compiled target ``qnn``: Qualcomm's compiler for the NPU of Snapdragon processors, with its emulator."""

from __future__ import annotations

from devices.backends.qnn.installation import QnnInstallation
from devices.worker.compiled_target import ProcessCompiler


class QnnTarget(ProcessCompiler):
    """Float models are quantised: activations to 16 bits, weights to 8."""

    name = "qnn"
    unit = "npu"
    runtime = "devices.backends.qnn.compiler:QnnHtp"
    installation = QnnInstallation
    package = "onnxruntime-qnn"
    hardware = "Snapdragon 8 Gen 3 (SM8650), Hexagon v75"
    precision = "w8a16"
    emulated = True
