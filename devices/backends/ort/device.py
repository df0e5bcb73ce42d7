"""The device ``cpu``: ONNX Runtime's CPU provider on this machine."""

from __future__ import annotations

from devices.worker.device import ProcessDevice


class CpuDevice(ProcessDevice):
    """ONNX Runtime, float32, with a fixed number of threads (one by default)."""

    name = "cpu"
    runtime = "devices.backends.ort.runtime:OnnxRuntime"
    package = "onnxruntime"
    listed_weights_are_inputs = True
    relu_as_clip_is_slower = True
    install = "pip install onnxruntime"
    over_ssh = True
