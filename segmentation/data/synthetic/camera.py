"""What cameras and networks do to pictures beyond ``light.photograph``: motion, few pixels, dim light, compression."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

_MOTION = 7
"""Pixels of a kernel of motion blur; Pillow has kernels of 3 and 5, so a blur is made of shifted copies."""


def degraded(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The picture with some random degradations, each with its own probability; the same size."""
    for probability, degrade in ((0.12, _moved), (0.15, _fewer_pixels), (0.15, _dim), (0.12, _levels), (0.2, _blocks)):
        if rng.random() < probability:
            image = degrade(image, rng)
    return image


def _moved(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    angle, length = rng.uniform(0, np.pi), rng.uniform(0.01, 0.03) * min(image.size)
    total = np.zeros((image.height, image.width, 3), np.float32)
    for share in np.linspace(-0.5, 0.5, _MOTION):
        x, y = length * share * np.cos(angle), length * share * np.sin(angle)
        shifted = image.transform(image.size, Image.Transform.AFFINE, (1, 0, x, 0, 1, y), Image.Resampling.BILINEAR)
        total += np.asarray(shifted, np.float32)
    return Image.fromarray((total / _MOTION).astype(np.uint8))


def _fewer_pixels(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    factor = rng.uniform(1.5, 3.5)
    small = image.resize((max(1, round(image.width / factor)), max(1, round(image.height / factor))))
    return small.resize(image.size, Image.Resampling.BICUBIC if rng.random() < 0.7 else Image.Resampling.NEAREST)


def _dim(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Little light: dark, with noise that is coarser than a pixel."""
    level = np.float32(rng.uniform(0.25, 0.6))
    noise = rng.standard_normal((image.height // 2 + 1, image.width // 2 + 1, 3)) * rng.uniform(4, 14)
    coarse = noise.repeat(2, 0).repeat(2, 1)[: image.height, : image.width]
    picture = np.asarray(image, np.float32) * level + coarse
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def _levels(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Strong contrast or washed out, and sharpened as phones do."""
    image = ImageEnhance.Contrast(image).enhance(float(rng.uniform(0.4, 1.8)))
    return image.filter(ImageFilter.UnsharpMask(2, int(rng.integers(50, 200)))) if rng.random() < 0.5 else image


def _blocks(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=int(rng.integers(8, 45)))
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")
