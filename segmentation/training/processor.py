"""The processor on which a training computes. Importing this module loads torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from foundation.errors import UserError


def processor(text: str) -> torch.device:
    """``cpu``, ``cuda`` or ``cuda:NUMBER``.

    Raises:
        UserError: PyTorch finds no such GPU.
    """
    device = torch.device(text)
    found = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= found:
        raise UserError(
            f"training device {text}", seen=f"{found} GPUs that PyTorch {torch.__version__} can use",
            expected="a GPU with this number", remedy="install PyTorch for CUDA, or write --training-device cpu",
        )  # fmt: skip
    return device


@contextmanager
def computed_on(device: torch.device, *networks: nn.Module | None) -> Iterator[None]:
    """Moves the networks to ``device``, and back to the CPU at the end."""
    for network in networks:
        if network is not None:
            network.to(device)
    try:
        yield
    finally:
        for network in networks:
            if network is not None:
                network.to("cpu")


def fast_layout(device: torch.device) -> torch.memory_format:
    """Of images and kernels: convolutions on a CPU train up to twice as fast with the channels last."""
    return torch.channels_last if device.type == "cpu" else torch.contiguous_format
