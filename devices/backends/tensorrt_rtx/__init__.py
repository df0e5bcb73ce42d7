"""NVIDIA TensorRT for RTX: its builder and ONNX parser, which need no GPU."""
