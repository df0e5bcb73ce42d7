"""Normalisation of a network's input: ``(x - MEAN) / STD`` with x in 0..1, channels red, green, blue.

The constants are ImageNet's, so that encoders trained elsewhere can be used; all networks and bundles use them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

MEAN: tuple[float, float, float] = (0.485, 0.456, 0.406)
STD: tuple[float, float, float] = (0.229, 0.224, 0.225)


def normalise(images: Tensor) -> Tensor:
    """Images in 0..1 (``... x 3 x height x width``) normalised; same shape."""
    return (images - _channels(MEAN, images)) / _channels(STD, images)


def _channels(values: tuple[float, float, float], like: Tensor) -> Tensor:
    return like.new_tensor(values).view(3, 1, 1)
