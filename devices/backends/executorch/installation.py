"""What ``latseg install executorch`` brings: the runtime with the compiler, which is torch with many packages."""

from __future__ import annotations

from devices.installations.python_environment import PythonEnvironment


class ExecuTorchEnvironment(PythonEnvironment):
    """ExecuTorch, and what our worker needs beside it."""

    name = "executorch"
    purpose = "ExecuTorch, the runtime and its compiler"
    licence = "BSD-3-Clause (ExecuTorch, torch), Apache-2.0, BSD and MIT"
    download_mb = 600
    packages = ("torch==2.13.0", "executorch==1.5.0", "onnx==1.23.2", "pydantic==2.14.3", "typing_extensions==4.16.0")
