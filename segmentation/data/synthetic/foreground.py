"""Things between the camera and the people: tables, screens, plants, poles and clutter."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from segmentation.data.synthetic.background import render_background
from segmentation.data.synthetic.canvas import SUPERSAMPLING, Floats

_MOST_COVERED = 0.45
"""Largest share of the picture that things cover."""


def render_foreground(rng: np.random.Generator, height: int, width: int) -> tuple[Floats, Floats]:
    """Picture ``height x width x 3`` and coverage ``height x width``, both in 0..1."""
    painters = (_table, _screen, _plant, _pole, _clutter)
    mask = Image.new("L", (width * SUPERSAMPLING, height * SUPERSAMPLING))
    painters[rng.integers(len(painters))](ImageDraw.Draw(mask), *mask.size, rng)
    coverage = np.asarray(mask.reduce(SUPERSAMPLING), np.float32) / np.float32(255)
    if coverage.mean() > _MOST_COVERED:
        coverage = np.zeros_like(coverage)
    return render_background(rng, height, width), coverage


def _table(draw: ImageDraw.ImageDraw, width: int, height: int, rng: np.random.Generator) -> None:
    edge, slope = rng.uniform(0.7, 0.97) * height, rng.normal(0, 0.04) * height
    draw.polygon([(0, edge - slope), (width, edge + slope), (width, height), (0, height)], fill=255)


def _screen(draw: ImageDraw.ImageDraw, width: int, height: int, rng: np.random.Generator) -> None:
    x, y = rng.uniform(-0.2, 0.8) * width, rng.uniform(0.6, 0.9) * height
    wide, slant = rng.uniform(0.2, 0.6) * width, rng.normal(0, 0.05) * width
    draw.polygon([(x, y), (x + wide, y + slant), (x + wide - slant, height), (x - slant, height)], fill=255)


def _plant(draw: ImageDraw.ImageDraw, width: int, height: int, rng: np.random.Generator) -> None:
    root = np.array([rng.choice((0.0, 1.0)) * width, height * rng.uniform(0.5, 1.1)])
    for _ in range(int(rng.integers(4, 16))):
        angle, length = rng.uniform(-np.pi, 0), rng.uniform(0.15, 0.5) * min(width, height)
        tip = root + length * np.array([np.cos(angle), np.sin(angle)])
        side = rng.uniform(0.04, 0.14) * length * np.array([-np.sin(angle), np.cos(angle)])
        middle = (root + tip) / 2
        draw.polygon([tuple(point) for point in (root, middle + side, tip, middle - side)], fill=255)


def _pole(draw: ImageDraw.ImageDraw, width: int, height: int, rng: np.random.Generator) -> None:
    x, lean = rng.uniform(0, 1) * width, rng.normal(0, 0.2) * width
    draw.line([(x - lean, 0), (x + lean, height)], fill=255, width=max(1, int(rng.uniform(0.01, 0.07) * width)))


def _clutter(draw: ImageDraw.ImageDraw, width: int, height: int, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(1, 5))):
        x, y = rng.uniform(0, 1) * width, rng.uniform(0.3, 1) * height
        wide, tall = rng.uniform(0.03, 0.22, 2) * min(width, height)
        box = (x - wide, y - tall, x + wide, y + tall)
        if rng.random() < 0.5:
            draw.ellipse(box, fill=255)
        else:
            draw.rectangle(box, fill=255)
