"""Weights that come with the package, one file each, and ``manifest.json``: checksums and how each was trained.

Made by ``make pretrain`` (``benchmarks/pretrain.py``); read by ``segmentation/pretrained/weights.py``.
"""
