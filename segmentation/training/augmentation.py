"""Random changes of training images, on whole batches; masks follow the geometry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far images are changed; each image of a batch draws its own lot.

    Geometry: mirror, zoom, stretch, turn, shift in one warp; beyond the border the border's pixels go on, in image and
    mask alike. Colour: brightness, contrast, saturation, gain by channel, gamma, grey, noise.
    """

    mirror: float = 0.5
    """Probability."""
    zoom: float = 1.35
    """Largest factor; the smallest is its inverse."""
    stretch: float = 1.12
    turn_degrees: float = 12.0
    shift: float = 0.12
    """Share of the size."""
    colour: float = 0.25
    """Half width of the factors of brightness, contrast, saturation and gamma."""
    gain: float = 0.08
    grey: float = 0.05
    """Probability."""
    noise: float = 0.02
    """Largest standard deviation."""

    def __call__(
        self,
        images: Tensor,
        masks: Tensor,
        generator: torch.Generator,
        *,
        flip_swaps: Sequence[tuple[int, int]] = (),
    ) -> tuple[Tensor, Tensor]:
        """Images float32 ``batch x 3 x height x width`` in 0..1, masks int64 ``batch x height x width``; same shapes.

        ``flip_swaps`` are classes that change places in a mirrored image (left eye, right eye).
        """
        mirrored = torch.rand(len(images), generator=generator) < self.mirror
        grid = functional.affine_grid(self._geometry(mirrored, generator), list(images.shape), align_corners=False)
        images = functional.grid_sample(images, grid, "bilinear", "border", align_corners=False)
        warped = functional.grid_sample(masks.unsqueeze(1).float(), grid, "nearest", "border", align_corners=False)
        masks = _swapped(warped.squeeze(1).round().long(), mirrored, flip_swaps)
        return self._recoloured(images, generator), masks

    def _geometry(self, mirrored: Tensor, generator: torch.Generator) -> Tensor:
        """``batch x 2 x 3``: where in the given image (-1..1) each place of the new one comes from."""
        count = len(mirrored)
        lots = torch.rand(5, count, generator=generator) * 2 - 1
        scale = self.zoom ** -lots[0]
        stretch = self.stretch ** lots[1]
        angle = lots[2] * math.radians(self.turn_degrees)
        sign = 1 - 2 * mirrored.float()
        shift = 2 * self.shift * lots[3:]
        rows = [
            torch.stack([sign * scale * stretch * angle.cos(), -scale * angle.sin(), shift[0]], 1),
            torch.stack([sign * scale * angle.sin(), scale / stretch * angle.cos(), shift[1]], 1),
        ]
        return torch.stack(rows, 1)

    def _recoloured(self, images: Tensor, generator: torch.Generator) -> Tensor:
        count = len(images)

        def lot(channels: int = 1) -> Tensor:
            return torch.rand(count, channels, 1, 1, generator=generator) * 2 - 1

        grey = images.mean(1, keepdim=True)
        saturation = (1 + self.colour * 2 * lot()) * (torch.rand(count, 1, 1, 1, generator=generator) >= self.grey)
        images = grey + (images - grey) * saturation
        middle = images.mean((1, 2, 3), keepdim=True)
        images = middle + (images - middle) * (1 + self.colour * lot())
        images = images * (1 + self.colour * lot()) * (1 + self.gain * lot(3))
        # The lower bound keeps the gradient-free power finite and cheap.
        images = images.clamp(1e-4, 1) ** (1 + self.colour * lot())
        noise = torch.randn(images.shape, generator=generator) * (self.noise * lot().abs())
        return (images + noise).clamp(0, 1)


def _swapped(masks: Tensor, mirrored: Tensor, swaps: Sequence[tuple[int, int]]) -> Tensor:
    if not swaps:
        return masks
    table = torch.arange(256)
    for first, second in swaps:
        table[first], table[second] = second, first
    return torch.where(mirrored.view(-1, 1, 1), table[masks], masks)
