#!/usr/bin/env bash
# Everything that needs an NVIDIA GPU, on a machine that has one: run it in the project's root, with a build of torch
# for CUDA and `pip install -e '.[cuda]' pytest pytest-timeout hypothesis`. About half an hour; every step can be left out.
set -eux
python -m pytest -m gpu tests
python benchmarks/cuda_kernels.py
python benchmarks/runtimes.py --devices cuda
python benchmarks/predictor_device.py --device cuda --output benchmarks/results/predictor_device_cuda.json
