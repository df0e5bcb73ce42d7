"""Random augmentation of batches of training images; masks get the same geometry."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from segmentation.training.teaching import Batch
from segmentation.training.warp import Swaps, Warp


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Augmentation ranges; parameters are sampled independently for every image, on the device of the images.

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
        flip_swaps: Swaps = (),
    ) -> tuple[Tensor, Tensor]:
        """Images float32 ``batch x 3 x height x width`` in 0..1, masks int64 ``batch x height x width``; same shapes.

        ``flip_swaps`` are classes that change places in a mirrored image (left eye, right eye).
        """
        batch = self.of_batch(Batch(images, masks), generator, flip_swaps)
        return batch.images, batch.masks

    def of_batch(self, batch: Batch, generator: torch.Generator, flip_swaps: Swaps = ()) -> Batch:
        """The batch with its images, masks and probabilities moved alike."""
        warp = self.warp(len(batch.images), generator)
        return Batch(
            self.recoloured(warp.smooth(batch.images), generator),
            warp.masks(batch.masks, flip_swaps),
            None if batch.probabilities is None else warp.probabilities(batch.probabilities, flip_swaps),
        )

    def warp(self, count: int, generator: torch.Generator) -> Warp:
        """A random change of geometry for ``count`` images."""
        mirrored = torch.rand(count, generator=generator, device=generator.device) < self.mirror
        return Warp(self._geometry(mirrored, generator), mirrored)

    def _geometry(self, mirrored: Tensor, generator: torch.Generator) -> Tensor:
        """Affine maps ``batch x 2 x 3`` from coordinates (-1..1) of the new image to those of the given one."""
        count = len(mirrored)
        random = torch.rand(5, count, generator=generator, device=generator.device) * 2 - 1
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

    def recoloured(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Images float32 ``batch x 3 x height x width`` in 0..1 with randomly changed colours."""
        count = len(images)

        def uniform(channels: int = 1) -> Tensor:
            """Random numbers in -1..1, ``batch x channels x 1 x 1``."""
            return torch.rand(count, channels, 1, 1, generator=generator, device=images.device) * 2 - 1

        grey = images.mean(1, keepdim=True)
        coloured = torch.rand(count, 1, 1, 1, generator=generator, device=images.device) >= self.grey
        saturation = (1 + self.colour * 2 * uniform()) * coloured
        images = grey + (images - grey) * saturation
        middle = images.mean((1, 2, 3), keepdim=True)
        images = middle + (images - middle) * (1 + self.colour * uniform())
        images = images * (1 + self.colour * uniform()) * (1 + self.gain * uniform(3))
        # Powers of zero and of negative numbers are avoided.
        images = images.clamp(1e-4, 1) ** (1 + self.colour * uniform())
        noise = torch.randn(images.shape, generator=generator, device=images.device) * (self.noise * uniform().abs())
        return (images + noise).clamp(0, 1)
