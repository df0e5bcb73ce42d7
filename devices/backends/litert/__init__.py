"""LiteRT (TFLite files): its CPU kernels, which are those of XNNPACK; converted by onnx2tf, an installation."""
