"""Weights of a supernet of fewer nets, out of and into one of more. Importing this module loads torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from segmentation.networks.plan import Plan
from segmentation.supernet.supernet import Supernet

_HEAD = "shared.head/"


def narrowed(supernet: Supernet, plans: Iterable[Plan]) -> Supernet:
    """Only as many weights as the nets ``plans`` use, copied."""
    narrow = Supernet(supernet.classes, plans)
    with torch.no_grad():
        for name, value in narrow.shared.items():
            value.copy_(_part(supernet.shared[name], value.shape))
    return narrow


def take_narrower(supernet: Supernet, weights: Mapping[str, Tensor], *, classes: int) -> int:
    """Copies the state of a narrower supernet to where its nets read it; the rest stays as it is.

    Args:
        supernet: is changed in place.
        weights: the state.
        classes: of the narrower one; the heads are taken only where they are the same.

    Returns:
        Number of tensors that were copied.
    """
    state = supernet.state_dict()
    fitting = [
        name
        for name, value in weights.items()
        if name in state
        and (classes == supernet.classes or not name.startswith(_HEAD))
        and all(size <= own for size, own in zip(value.shape, state[name].shape, strict=True))
    ]
    for name in fitting:
        _part(state[name], weights[name].shape).copy_(weights[name])
    return len(fitting)


def _part(shared: Tensor, sizes: Sequence[int]) -> Tensor:
    """The first channels and the middle of the kernel: what a net with weights of these sizes reads."""
    for axis, size in enumerate(sizes):
        shared = shared.narrow(axis, (shared.shape[axis] - size) // 2 if axis > 1 else 0, size)
    return shared
