"""Random augmentation of batches of training images; masks get the same geometry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Augmentation ranges; parameters are sampled independently for every image.

    Geometry: mirror, zoom, stretch, rotation and shift in one warp; border pixels are repeated outwards, in image and
    mask alike. Colour: brightness, contrast, saturation, gain of each channel, gamma, grey, noise.
    """

    mirror: float = 0.5
    """Probability of a mirrored image."""
    zoom: float = 1.35
    """Largest factor; the smallest is its inverse."""
    stretch: float = 1.12
    """Largest factor of the width; the height gets its inverse, or the other way round."""
    turn_degrees: float = 12.0
    """Largest rotation."""
    shift: float = 0.12
    """Largest shift, as a share of the size."""
    colour: float = 0.25
    """Half width of the factors of brightness, contrast, saturation and gamma."""
    gain: float = 0.08
    """Half width of the factor of each channel."""
    grey: float = 0.05
    """Probability of a grey image."""
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
        """Affine maps ``batch x 2 x 3`` from coordinates (-1..1) of the new image to those of the given one."""
        count = len(mirrored)
        random = torch.rand(5, count, generator=generator) * 2 - 1
        scale = self.zoom ** -random[0]
        stretch = self.stretch ** random[1]
        angle = random[2] * math.radians(self.turn_degrees)
        sign = 1 - 2 * mirrored.float()
        shift = 2 * self.shift * random[3:]
        rows = [
            torch.stack([sign * scale * stretch * angle.cos(), -scale * angle.sin(), shift[0]], 1),
            torch.stack([sign * scale * angle.sin(), scale / stretch * angle.cos(), shift[1]], 1),
        ]
        return torch.stack(rows, 1)

    def _recoloured(self, images: Tensor, generator: torch.Generator) -> Tensor:
        count = len(images)

        def uniform(channels: int = 1) -> Tensor:
            """Random numbers in -1..1, ``batch x channels x 1 x 1``."""
            return torch.rand(count, channels, 1, 1, generator=generator) * 2 - 1

        grey = images.mean(1, keepdim=True)
        saturation = (1 + self.colour * 2 * uniform()) * (torch.rand(count, 1, 1, 1, generator=generator) >= self.grey)
        images = grey + (images - grey) * saturation
        middle = images.mean((1, 2, 3), keepdim=True)
        images = middle + (images - middle) * (1 + self.colour * uniform())
        images = images * (1 + self.colour * uniform()) * (1 + self.gain * uniform(3))
        # Powers of zero and of negative numbers are avoided.
        images = images.clamp(1e-4, 1) ** (1 + self.colour * uniform())
        noise = torch.randn(images.shape, generator=generator) * (self.noise * uniform().abs())
        return (images + noise).clamp(0, 1)


def _swapped(masks: Tensor, mirrored: Tensor, swaps: Sequence[tuple[int, int]]) -> Tensor:
    if not swaps:
        return masks
    table = torch.arange(256)
    for first, second in swaps:
        table[first], table[second] = second, first
    return torch.where(mirrored.view(-1, 1, 1), table[masks], masks)
