"""What a worker process imports besides its runtime, for environments of their own."""

ONNX = "onnx==1.23.2"
DOCUMENTS = ("pydantic==2.14.3", "typing_extensions==4.16.0")
"""For environments whose runtime or converter brings numpy itself."""
WORKER_PACKAGES = ("numpy==2.4.6", ONNX, *DOCUMENTS)
