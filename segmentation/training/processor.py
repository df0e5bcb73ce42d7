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
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type == "cuda" and (device.index or 0) >= found:
        raise UserError(
            f"training device {text}", seen=f"{found} GPUs that PyTorch {torch.__version__} can use",
            expected="a GPU with this number",
            remedy="choose another one, install PyTorch for CUDA and its driver, or write --training-device cpu",
        )  # fmt: skip
    return device


@contextmanager
def computed_on(device: torch.device, *networks: nn.Module | None) -> Iterator[None]:
    """Moves the networks to ``device``, and back to the CPU at the end.

    Raises:
        UserError: the memory of the GPU is too small.
    """
    moved = [network for network in networks if network is not None]
    try:
        for network in moved:
            network.to(device)
        yield
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"training device {device}", seen="too little memory", expected="enough for a batch of images",
            remedy="give a smaller --batch-size, or write --training-device cpu",
        ) from error  # fmt: skip
    finally:
        for network in moved:
            network.to("cpu")


def fast_layout(device: torch.device) -> torch.memory_format:
    """Of images and kernels: convolutions on a CPU train up to twice as fast with the channels last."""
    return torch.channels_last if device.type == "cpu" else torch.contiguous_format
