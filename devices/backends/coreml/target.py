"""The compiled target ``coreml``: Apple's converter, which does not say on which unit an operator will run."""

from __future__ import annotations

from devices.backends.coreml.installation import CoreMlInstallation
from devices.worker.compiled_target import ProcessCompiler


class CoreMlTarget(ProcessCompiler):
    """ML programs for iOS 16, macOS 13 and newer."""

    name = "coreml"
    unit = "ane"
    runtime = "devices.backends.coreml.compiler:CoreMl"
    installation = CoreMlInstallation
    package = "coremltools"
    hardware = "Apple devices"
    precision = "float16"
