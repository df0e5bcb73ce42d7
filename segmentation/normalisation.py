"""Normalisation of a network's input: ``(x - MEAN) / STD`` with x in 0..1, channels red, green, blue.

The constants are ImageNet's, so that encoders trained elsewhere can be used; all networks and bundles use them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

Colour = tuple[float, float, float]
"""A number for red, green and blue each."""
MEAN: Colour = (0.485, 0.456, 0.406)
STD: Colour = (0.229, 0.224, 0.225)
_BYTE: Colour = (1 / 255, 1 / 255, 1 / 255)
NORMALISATIONS: Mapping[str, tuple[Colour, Colour]] = {
    "0..1": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "imagenet": (MEAN, STD),
    "-1..1": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "0..255": ((0.0, 0.0, 0.0), _BYTE),
    "0..255-around-mean": (MEAN, _BYTE),
}
"""Those of networks from elsewhere: mean and standard deviation by name, the more usual ones first."""


def normalise(images: Tensor) -> Tensor:
    """Images in 0..1 (``... x 3 x height x width``) normalised; same shape."""
    return (images - _channels(MEAN, images)) / _channels(STD, images)


def _channels(values: tuple[float, float, float], like: Tensor) -> Tensor:
    return like.new_tensor(values).view(3, 1, 1)
