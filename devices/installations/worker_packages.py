"""What a worker process imports besides its runtime, for environments of their own."""

WORKER_PACKAGES = ("numpy==2.4.6", "onnx==1.23.2", "pydantic==2.14.3", "typing_extensions==4.16.0")
