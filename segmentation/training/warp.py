"""One random change of geometry for a batch, applied alike to images, masks and a teacher's probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

Swaps = Sequence[tuple[int, int]]
"""Classes that change places in a mirrored image (left eye, right eye)."""


@dataclass(frozen=True, slots=True)
class Warp:
    """An affine map for each image; border pixels are repeated outwards."""

    maps: Tensor
    """``batch x 2 x 3``, from coordinates (-1..1) of the new image to those of the given one."""
    mirrored: Tensor
    """Which images are mirrored, ``batch``."""

    def smooth(self, values: Tensor) -> Tensor:
        """Float values ``batch x channels x height x width`` of any size, interpolated."""
        return self._sampled(values, "bilinear")

    def masks(self, masks: Tensor, swaps: Swaps = ()) -> Tensor:
        """Class numbers, int64 ``batch x height x width``, by the nearest pixel."""
        warped = self._sampled(masks.unsqueeze(1).float(), "nearest").squeeze(1).round().long()
        if not swaps:
            return warped
        return torch.where(self.mirrored.view(-1, 1, 1), _swapped(256, swaps).to(warped.device)[warped], warped)

    def probabilities(self, probabilities: Tensor, swaps: Swaps = ()) -> Tensor:
        """Probabilities of the classes, ``batch x classes x height x width``, interpolated."""
        warped = self.smooth(probabilities)
        if not swaps:
            return warped
        exchanged = warped[:, _swapped(warped.shape[1], swaps)]
        return torch.where(self.mirrored.view(-1, 1, 1, 1), exchanged, warped)

    def _sampled(self, values: Tensor, mode: str) -> Tensor:
        grid = functional.affine_grid(self.maps, list(values.shape), align_corners=False)
        return functional.grid_sample(values, grid, mode, "border", align_corners=False)


def _swapped(count: int, swaps: Swaps) -> Tensor:
    """The partner of each of the first ``count`` classes."""
    table = torch.arange(count)
    for first, second in swaps:
        table[first], table[second] = second, first
    return table
