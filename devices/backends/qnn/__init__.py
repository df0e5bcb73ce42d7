"""Qualcomm's compiler for the Hexagon Tensor Processor (HTP) and its emulator, by ONNX Runtime's provider QNN."""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # as in devices/backends/ort
