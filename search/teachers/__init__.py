"""Teachers that the user brings: any segmentation net as an ONNX or a TFLite file."""
