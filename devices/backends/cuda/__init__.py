"""An NVIDIA GPU, by torch and CUDA graphs."""
