"""Light on the sitter and what the camera does to the picture."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter

from segmentation.data.synthetic.canvas import Floats
from segmentation.data.synthetic.traits import Traits

_COARSE = 4
"""Shading is smooth, so it is computed on every fourth pixel."""


def light_person(colour: Floats, regions: Floats, traits: Traits, rng: np.random.Generator) -> Floats:
    """Shades head, body and hair as if they were round; colour is premultiplied by coverage, before and after."""
    height, width = regions.shape[:2]
    angle, strength = rng.uniform(-np.pi, np.pi), rng.uniform(0.05, 0.3)
    light = (float(np.sin(angle)), float(-abs(np.cos(angle))), float(strength))
    y, x = np.mgrid[_COARSE / 2 : height : _COARSE, _COARSE / 2 : width : _COARSE].astype(np.float32)
    fields = (
        _head_field(*traits.head.from_pixels(x, y), traits, light),
        _body_field(*traits.body.from_pixels(x, y), light),
        _hair_field(*traits.head.from_pixels(x, y), light),
    )
    shade = np.stack([_enlarged(field, height, width) for field in fields], 2) * regions
    covered = np.maximum(regions.sum(2), 1e-3)
    return np.asarray(np.minimum(colour * (1 + shade.sum(2) / covered)[..., None], covered[..., None]), np.float32)


def _head_field(u: Floats, v: Floats, traits: Traits, light: tuple[float, float, float]) -> Floats:
    across, along = u / traits.face_width, v
    radius = np.minimum(across**2 + along**2, 1.3)
    shade = light[2] * (light[0] * across + light[1] * along) - 0.22 * radius**2 + 0.06
    centre = 0.5 * np.sin(traits.turn)
    for x, y, wide, tall, amount in (
        (centre, -0.5, 0.4, 0.2, 0.10),
        (centre, 0.12, 0.10, 0.3, 0.10),
        (centre - 0.36, 0.22, 0.16, 0.14, 0.08),
        (centre + 0.36, 0.22, 0.16, 0.14, 0.08),
        (centre, 0.84, 0.16, 0.1, 0.06),
        (centre - 0.5, 0.55, 0.14, 0.22, -0.08),
        (centre + 0.5, 0.55, 0.14, 0.22, -0.08),
    ):
        shade = shade + amount * np.exp(-(((u - x) / wide) ** 2) - ((v - y) / tall) ** 2)
    return np.asarray(shade, np.float32)


def _body_field(u: Floats, v: Floats, light: tuple[float, float, float]) -> Floats:
    # The head throws its shadow on the neck; arms fall away to the sides.
    chin = np.exp(-(((u + 0.2 * light[0]) / 0.6) ** 2) - ((v + 0.35) / 0.28) ** 2)
    side = np.clip(np.abs(u) / 2.2, 0, 1.2)
    shade = light[2] * 0.8 * light[0] * np.clip(u / 1.5, -1, 1) - 0.22 * side**3 - 0.34 * chin
    return np.asarray(shade - 0.05 * np.clip(v - 1.0, 0, 3), np.float32)


def _hair_field(u: Floats, v: Floats, light: tuple[float, float, float]) -> Floats:
    across, along = u / 0.95, v / 1.1
    ring = np.exp(-(((np.sqrt(across**2 + along**2) - 0.86) / 0.1) ** 2)) * np.clip(-along, 0, 1)
    shade = light[2] * (light[0] * np.clip(across, -1.2, 1.2) + light[1] * np.clip(along, -1.2, 1.2))
    return np.asarray(shade + 0.3 * ring - 0.12 * np.clip(v, 0, 1.5), np.float32)


def cast_shadow(background: Floats, person: Floats, rng: np.random.Generator) -> Floats:
    """A soft shadow of the sitter (coverage ``height x width``) on the background, in some portraits."""
    if rng.random() < 0.5:
        return background
    height, width = person.shape
    small = Image.fromarray((person * 255).astype(np.uint8)).resize((width // 4, height // 4))
    shift = int(rng.uniform(-0.12, 0.12) * width / 4), int(rng.uniform(0.0, 0.06) * height / 4)
    moved = Image.new("L", small.size)
    moved.paste(small, shift)
    blurred = moved.filter(ImageFilter.GaussianBlur(float(rng.uniform(1.5, 6))))
    soft: Floats = np.asarray(blurred, np.float32) / np.float32(255)
    dark = np.float32(rng.uniform(0.2, 0.6)) * _enlarged(soft, height, width)
    return background * (1 - dark)[..., None]


def photograph(picture: Floats, rng: np.random.Generator) -> Image.Image:
    """Uneven light, colour cast, contrast, blur, sensor noise and compression; RGB in 0..1 becomes an image."""
    height, width = picture.shape[:2]
    picture = picture * _uneven_light(height, width, rng)[..., None]
    picture = picture * rng.uniform(0.86, 1.14, 3).astype(np.float32) * np.float32(rng.uniform(0.75, 1.25))
    picture = np.clip(picture + rng.uniform(-0.03, 0.06), 0, 1)
    if rng.random() < 0.12:
        picture = np.repeat(picture.mean(2, keepdims=True), 3, 2)
    noise = rng.standard_normal((height, width, 3), np.float32) * np.float32(rng.uniform(0.002, 0.035))
    picture = np.clip(picture ** np.float32(rng.uniform(0.75, 1.35)) + noise, 0, 1)
    image = Image.fromarray((picture * 255).astype(np.uint8))
    if rng.random() < 0.35:
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 1.3)) * min(height, width) / 256))
    return _compressed(image, int(rng.integers(45, 96))) if rng.random() < 0.6 else image


def _uneven_light(height: int, width: int, rng: np.random.Generator) -> Floats:
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    slope = rng.normal(0, 0.16, 2).astype(np.float32)
    vignette = np.float32(max(0.0, rng.uniform(-0.15, 0.22)))
    light = 1 + slope[0] * x + slope[1] * y - vignette * (x**2 + y**2) / 2
    if rng.random() < 0.25:  # a shaft of light or the edge of a shadow
        angle = rng.uniform(0, np.pi)
        across = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle)) - np.float32(rng.uniform(-0.5, 0.5))
        light = light * (
            1 + np.float32(rng.uniform(-0.35, 0.3)) / (1 + np.exp(-across * np.float32(rng.uniform(6, 30))))
        )
    return np.asarray(np.clip(light, 0.3, 1.8), np.float32)


def _compressed(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")


def _enlarged(field: Floats, height: int, width: int) -> Floats:
    image = Image.fromarray(np.ascontiguousarray(field, np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), np.float32)
