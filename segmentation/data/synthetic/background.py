"""Backgrounds: rooms, streets, gardens, studio walls, textures and clutter, some of it skin-coloured."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from segmentation.data.synthetic.canvas import Floats

Fill = tuple[int, int, int]
Painter = Callable[[ImageDraw.ImageDraw, int, int, np.random.Generator], None]


def render_background(rng: np.random.Generator, height: int, width: int) -> Floats:
    """RGB ``height x width x 3`` in 0..1."""
    image = _gradient(rng, height, width)
    draw = ImageDraw.Draw(image, "RGBA")
    scenes = (_room, _shelves, _street, _garden, _tiles, _shapes, _curtain)
    if rng.random() < 0.85:
        scenes[rng.integers(len(scenes))](draw, height, width, rng)
    if rng.random() < 0.45:
        _shapes(draw, height, width, rng)
    if rng.random() < 0.4:
        _distractors(draw, height, width, rng)
    if rng.random() < 0.7:
        sharpness = float(rng.uniform(0, 1)) ** 2 * 6
        image = image.filter(ImageFilter.GaussianBlur(sharpness * min(height, width) / 256))
    picture = np.asarray(image, np.float32) / 255
    if rng.random() < 0.75:
        texture = _noise(rng, height, width) * np.float32(rng.uniform(0.02, 0.3))
        picture = picture * (1 + texture)[..., None]
    return np.asarray(np.clip(picture, 0, 1), np.float32)


def _colour(rng: np.random.Generator, spread: float = 60.0) -> Fill:
    red, green, blue = np.clip(rng.uniform(20, 245) + spread * rng.uniform(-1, 1, 3), 0, 255).astype(int).tolist()
    return red, green, blue


def _near(colour: Fill, rng: np.random.Generator, spread: float = 30.0) -> Fill:
    red, green, blue = np.clip(np.array(colour) + rng.uniform(-spread, spread, 3), 0, 255).astype(int).tolist()
    return red, green, blue


def _skin_like(rng: np.random.Generator) -> Fill:
    level = rng.uniform(0.3, 1.0)
    return _near((int(245 * level), int(190 * level), int(155 * level)), rng, 15)


def _gradient(rng: np.random.Generator, height: int, width: int) -> Image.Image:
    first = np.array(_colour(rng), np.float32)
    corners = np.clip(first + rng.uniform(-70, 70, (2, 2, 1)) + rng.uniform(-15, 15, (2, 2, 3)), 0, 255)
    return Image.fromarray(corners.astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)


def _noise(rng: np.random.Generator, height: int, width: int) -> Floats:
    """Value noise over a few octaves, roughly in -1..1."""
    total = np.zeros((height, width), np.float32)
    for cells in rng.choice((3, 6, 12, 24, 48, 96), size=3, replace=False):
        stretch = rng.choice((1, 1, 1, 4))
        grid = rng.uniform(-1, 1, (max(2, int(cells) // int(stretch)), int(cells))).astype(np.float32)
        if rng.random() < 0.5:
            grid = np.ascontiguousarray(grid.T)
        image = Image.fromarray(grid).resize((width, height), Image.Resampling.BILINEAR)
        total += np.asarray(image, np.float32) * np.float32(rng.uniform(0.2, 0.8))
    return total


def _room(draw: ImageDraw.ImageDraw, height: int, width: int, rng: np.random.Generator) -> None:
    floor = rng.uniform(0.55, 0.95) * height
    draw.rectangle([0, floor, width, height], fill=_colour(rng))
    draw.line([(0, floor), (width, floor)], fill=_colour(rng, 10), width=int(rng.integers(1, 6)))
    for _ in range(int(rng.integers(1, 5))):  # pictures, windows, cupboards
        x, y = rng.uniform(-0.1, 0.9) * width, rng.uniform(-0.1, 0.6) * height
        wide, tall = rng.uniform(0.1, 0.45) * width, rng.uniform(0.1, 0.5) * height
        frame = _colour(rng)
        draw.rectangle([x, y, x + wide, y + tall], fill=frame)
        border = rng.uniform(0.05, 0.25) * min(wide, tall)
        inner = [x + border, y + border, x + wide - border, y + tall - border]
        draw.rectangle(inner, fill=_skin_like(rng) if rng.random() < 0.2 else _colour(rng))
        if rng.random() < 0.4:  # glazing bars
            middle = x + wide / 2
            draw.line([(middle, y), (middle, y + tall)], fill=frame, width=3)
            draw.line([(x, y + tall / 2), (x + wide, y + tall / 2)], fill=frame, width=3)
    if rng.random() < 0.5:  # a lamp or a plant
        x, y, size = rng.uniform(0, width), rng.uniform(0.2, 0.7) * height, rng.uniform(0.05, 0.13) * width
        draw.line([(x, y), (x, height)], fill=_colour(rng, 20), width=3)
        draw.polygon(
            [(x - size, y + size), (x - size / 2, y - size), (x + size / 2, y - size), (x + size, y + size)],
            fill=_colour(rng),
        )


def _shelves(draw: ImageDraw.ImageDraw, height: int, width: int, rng: np.random.Generator) -> None:
    board, step = _colour(rng, 30), rng.uniform(0.16, 0.32) * height
    for top in np.arange(rng.uniform(-0.2, 0.1) * height, height, step):
        x = rng.uniform(-10, 10)
        while x < width:
            wide, tall = rng.uniform(0.012, 0.06) * width, step * rng.uniform(0.45, 0.85)
            if rng.random() < 0.88:
                draw.rectangle([x, top + step - tall, x + wide, top + step], fill=_colour(rng, 90))
            x += wide + rng.uniform(0, 3)
        draw.rectangle([0, top + step, width, top + step + 0.02 * height], fill=board)


def _street(draw: ImageDraw.ImageDraw, height: int, width: int, rng: np.random.Generator) -> None:
    draw.rectangle([0, 0, width, height * 0.6], fill=_near((160, 195, 230), rng, 35))
    x = rng.uniform(-0.2, 0) * width
    while x < width:
        wide, top = rng.uniform(0.12, 0.4) * width, rng.uniform(0.0, 0.5) * height
        wall, pane = _colour(rng, 35), _colour(rng, 40)
        draw.rectangle([x, top, x + wide, height], fill=wall)
        step, size = rng.uniform(0.05, 0.1) * width, rng.uniform(0.4, 0.7)
        for column in np.arange(x + step / 3, x + wide - step / 2, step):
            for row in np.arange(top + step / 2, height, step * 1.4):
                draw.rectangle([column, row, column + step * size, row + step], fill=_near(pane, rng, 12))
        x += wide
    draw.rectangle([0, height * rng.uniform(0.75, 1.0), width, height], fill=_colour(rng, 10))


def _garden(draw: ImageDraw.ImageDraw, height: int, width: int, rng: np.random.Generator) -> None:
    if rng.random() < 0.6:
        draw.rectangle([0, 0, width, height * 0.5], fill=_near((170, 205, 235), rng, 40))
    horizon = rng.uniform(0.3, 0.7) * height
    draw.rectangle([0, horizon, width, height], fill=_near((96, 130, 60), rng, 35))
    for _ in range(int(rng.integers(0, 4))):  # trunks
        x, wide = rng.uniform(0, width), rng.uniform(0.02, 0.06) * width
        draw.rectangle([x, 0, x + wide, horizon + rng.uniform(0, 0.2) * height], fill=_near((92, 66, 44), rng, 20))
    leaf = _near((70, 110, 45), rng, 40)
    centres = rng.uniform((0, 0), (width, horizon * 1.2), (70, 2))
    for (x, y), size in zip(centres.tolist(), (rng.uniform(0.02, 0.09, 70) * width).tolist(), strict=True):
        draw.ellipse([x - size, y - size * 0.8, x + size, y + size * 0.8], fill=_near(leaf, rng, 35))


def _tiles(draw: ImageDraw.ImageDraw, height: int, width: int, rng: np.random.Generator) -> None:
    wall = _colour(rng) if rng.random() < 0.6 else _near((160, 84, 60), rng, 25)
    tall = max(3.0, rng.uniform(0.04, 0.14) * height)
    wide, shift = tall * rng.uniform(1, 2.6), rng.choice((0.0, 0.5))
    for row, y in enumerate(np.arange(0, height, tall)):
        for x in np.arange(-wide * shift * (row % 2), width, wide):
            draw.rectangle([x + 1, y + 1, x + wide - 1, y + tall - 1], fill=_near(wall, rng, 16))


def _curtain(draw: ImageDraw.ImageDraw, height: int, width: int, rng: np.random.Generator) -> None:
    cloth, x = _colour(rng), 0.0
    while x < width:
        wide = rng.uniform(0.015, 0.09) * width
        draw.polygon(
            [(x, 0), (x + wide, 0), (x + wide + rng.normal(0, 4), height), (x, height)], fill=_near(cloth, rng, 26)
        )
        x += wide


def _shapes(draw: ImageDraw.ImageDraw, height: int, width: int, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(2, 14))):
        x, y, size = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.02, 0.22) * width
        fill = (*_colour(rng, 90), int(rng.integers(120, 256)))
        kind = rng.integers(4)
        if kind == 0:
            draw.ellipse([x - size, y - size, x + size, y + size * rng.uniform(0.2, 1)], fill=fill)
        elif kind == 1:
            draw.rectangle([x, y, x + size * rng.uniform(0.3, 2), y + size * rng.uniform(0.3, 2)], fill=fill)
        elif kind == 2:
            corners = rng.normal((x, y), size, (int(rng.integers(3, 7)), 2))
            draw.polygon(corners.ravel().tolist(), fill=fill)
        else:
            ends = rng.uniform((0, 0), (width, height), (2, 2))
            draw.line(ends.ravel().tolist(), fill=fill, width=max(1, int(size / 6)))


def _distractors(draw: ImageDraw.ImageDraw, height: int, width: int, rng: np.random.Generator) -> None:
    """Objects with the colours of skin and hair."""
    for _ in range(int(rng.integers(1, 5))):
        x, y, size = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.04, 0.14) * width
        draw.ellipse([x - size, y - size * rng.uniform(0.5, 1.4), x + size, y + size], fill=_skin_like(rng))
        if rng.random() < 0.5:
            dark = _near((50, 36, 30), rng, 25)
            draw.rectangle([x - size, y + size, x + size * rng.uniform(0, 2), y + size * 2], fill=dark)
