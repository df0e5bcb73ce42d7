"""What ``latseg install litert`` brings: the converter, since its pinned dependencies do not fit beside ours."""

from __future__ import annotations

from devices.installations.python_environment import PythonEnvironment
from devices.installations.worker_packages import DOCUMENTS


class LiteRtConverter(PythonEnvironment):
    """onnx2tf, which writes TFLite files without TensorFlow; it pins each of its dependencies itself."""

    name = "litert"
    purpose = "the converter from ONNX to TFLite (LiteRT)"
    licence = "MIT (onnx2tf), Apache-2.0, BSD and MIT"
    download_mb = 165
    packages = ("onnx2tf==2.6.9", *DOCUMENTS)
    python_version = "3.12"
