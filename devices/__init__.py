"""A target and how an ONNX model is timed on it. Importing this package loads no runtime."""
