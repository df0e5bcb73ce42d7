"""Devices, and how the latency of an ONNX model is measured on them. Importing this package loads no runtime."""
