"""Neck, shoulders and what the sitter wears."""

from __future__ import annotations

from functools import partial

import numpy as np
from PIL import ImageDraw

from segmentation.data.synthetic.canvas import SUPERSAMPLING, Brush, Colour, Points, ellipse, mirrored, shaded, smooth
from segmentation.data.synthetic.traits import Traits

_BOTTOM = 12.0
"""Below the lower edge of any picture."""


def paint_torso(brush: Brush, traits: Traits, rng: np.random.Generator) -> None:
    """Shoulders, chest and neck with the clothes, up to where the head will be."""
    outline = torso_outline(traits)
    if traits.clothes == "hoodie":
        hood = [(0.3, -0.55), (0.85, -0.35), (1.0, 0.1), (0.7, 0.45), (0.0, 0.6)]
        brush.fill(smooth(mirrored(np.array(hood))), shaded(traits.cloth, 0.72), "body")
    brush.fill(outline, traits.cloth, "body")
    _paint_pattern(brush, traits, outline, rng)
    _paint_folds(brush, traits, rng)
    brush.fill(_neckline(traits), traits.skin, "body")
    _paint_neck(brush, traits)
    _paint_collar(brush, traits)


def torso_outline(traits: Traits) -> Points:
    """Shoulders and arms, open to below."""
    neck, wide, drop = traits.neck_width, traits.shoulder_width, traits.shoulder_drop
    right = np.array(
        [
            (0.0, -0.12),
            (neck * 0.9, -0.16),
            (neck + 0.25, 0.02),
            ((neck + wide) * 0.55, drop * 0.35),
            (wide * 0.9, drop * 0.62),
            (wide, drop + 0.25),
            (wide * 1.08, drop + 1.2),
            (wide * 1.12, 3.0),
            (wide * 1.1, _BOTTOM),
        ]
    )
    return smooth(mirrored(right))


def _neckline(traits: Traits) -> Points:
    neck, wide = traits.neck_width, traits.shoulder_width
    depths = {"tee": 0.3, "v-neck": 0.75, "shirt": 0.42, "suit": 0.25, "hoodie": 0.3, "turtleneck": 0.05}
    if traits.clothes in depths:
        depth = depths[traits.clothes]
        side = (neck * 0.55, depth * 0.62) if traits.clothes != "v-neck" else (neck * 0.5, depth * 0.5)
        return smooth(mirrored(np.array([(neck * 1.05, -0.2), (neck * 0.95, 0.02), side, (0.04, depth)])))
    reach = 0.42 if traits.clothes == "tank" else 0.72
    right = [(neck, -0.2), (wide * reach, 0.05), (wide * reach * 0.85, 0.45), (wide * 0.3, 0.8), (0.05, 0.85)]
    return smooth(mirrored(np.array(right)))


def _paint_neck(brush: Brush, traits: Traits) -> None:
    neck, length = traits.neck_width, traits.neck_length
    right = [(neck * 0.92, -length), (neck * 0.9, -0.5), (neck, -0.1), (neck * 0.8, 0.1), (0.06, 0.2)]
    brush.fill(smooth(mirrored(np.array(right))), shaded(traits.skin, 0.93), "body")
    for side in (-1, 1):
        tendon = np.array([(side * neck * 0.7, -0.6), (side * neck * 0.4, -0.1), (side * 0.09, 0.16)])
        brush.stroke(smooth(tendon, closed=False), shaded(traits.skin, 0.78), 0.035, alpha=110)


def _paint_pattern(brush: Brush, traits: Traits, outline: Points, rng: np.random.Generator) -> None:
    if traits.pattern == "plain":
        return
    painter = partial(_draw_pattern, traits=traits, scale=brush.frame.scale * SUPERSAMPLING, rng=rng)
    brush.canvas.clipped(brush.frame.to_pixels(outline), painter)


def _draw_pattern(draw: ImageDraw.ImageDraw, *, traits: Traits, scale: float, rng: np.random.Generator) -> None:
    width, height = draw.im.size
    step, colour = max(4.0, scale * rng.uniform(0.12, 0.5)), (*traits.accent, int(rng.integers(110, 256)))
    thick = max(1, round(step * rng.uniform(0.15, 0.6)))
    slant = float(rng.uniform(-0.15, 0.15) * height)
    if traits.pattern in ("stripes", "checks"):
        for y in np.arange(-abs(slant), height + abs(slant), step):
            draw.line([(0, y), (width, y + slant)], fill=colour, width=thick)
    if traits.pattern in ("columns", "checks"):
        for x in np.arange(-abs(slant), width + abs(slant), step):
            draw.line([(x, 0), (x - slant, height)], fill=colour, width=thick)
    if traits.pattern == "dots":
        for row, y in enumerate(np.arange(height * 0.25, height, step)):
            for x in np.arange(step / 2 * (row % 2), width, step):
                draw.ellipse([x, y, x + thick, y + thick], fill=colour)
    if traits.pattern == "blocks":
        for _ in range(6):
            x, y = rng.uniform(0, width), rng.uniform(height * 0.3, height)
            draw.rectangle([x, y, x + rng.uniform(1, 6) * step, y + rng.uniform(1, 4) * step], fill=colour)


def _paint_folds(brush: Brush, traits: Traits, rng: np.random.Generator) -> None:
    wide, drop = traits.shoulder_width, traits.shoulder_drop
    dark = shaded(traits.cloth, 0.6)
    for side in (-1, 1):
        armpit = np.array(
            [(side * wide * 0.72, drop + 1.0), (side * wide * 0.75, drop + 1.8), (side * wide * 0.8, 4.0)]
        )
        brush.stroke(smooth(armpit, closed=False), dark, 0.07, alpha=130)
    for _ in range(int(rng.integers(2, 6))):
        x, y = rng.uniform(-0.7, 0.7) * wide, rng.uniform(drop + 0.5, drop + 2.2)
        fold = np.array([(x, y), (x + rng.normal(0, 0.25), y + 0.3), (x + rng.normal(0, 0.4), y + 0.8)])
        brush.stroke(smooth(fold, closed=False), dark, rng.uniform(0.03, 0.1), alpha=int(rng.integers(40, 110)))


def _paint_collar(brush: Brush, traits: Traits) -> None:
    match traits.clothes:
        case "tee" | "v-neck":
            _paint_hem(brush, traits)
        case "shirt":
            _paint_shirt(brush, traits, shaded(traits.cloth, 1.12))
        case "suit":
            _paint_suit(brush, traits)
        case "hoodie":
            _paint_hem(brush, traits)
            for side in (-1, 1):
                string = np.array([(side * 0.22, 0.3), (side * 0.26, 0.8), (side * 0.22, 1.2)])
                brush.stroke(string, traits.accent, 0.05)
        case "turtleneck":
            neck = traits.neck_width
            roll = [(neck * 1.0, -0.48), (neck * 1.12, -0.35), (neck * 1.2, -0.05), (neck * 0.9, 0.15), (0.05, 0.2)]
            brush.fill(smooth(mirrored(np.array(roll))), shaded(traits.cloth, 1.1), "body")
            crease = np.array([(-neck, -0.2), (0, -0.08), (neck, -0.2)])
            brush.stroke(smooth(crease, closed=False), shaded(traits.cloth, 0.75), 0.05)
        case _:
            _paint_hem(brush, traits)


def _paint_hem(brush: Brush, traits: Traits) -> None:
    edge = _neckline(traits)
    lower = edge[edge[:, 1] > -0.05]
    # From the right end over the deepest point to the left end.
    brush.stroke(lower[np.argsort(-lower[:, 0])], shaded(traits.cloth, 0.78), 0.07)


def _paint_shirt(brush: Brush, traits: Traits, colour: Colour) -> None:
    neck = traits.neck_width
    brush.stroke(np.array([(0.03, 0.4), (0.05, 4.0)]), shaded(colour, 0.72), 0.03)
    for y in np.arange(0.62, 4.0, 0.55):
        brush.oval((0.09, y), (0.04, 0.04), shaded(colour, 0.6))
    for side in (-1, 1):
        collar = np.array(
            [(neck * 0.95, -0.34), (neck * 1.3, -0.06), (neck * 1.0, 0.42), (0.05, 0.38), (neck * 0.62, 0.02)]
        )
        brush.fill(collar * (side, 1), colour, "body")
        brush.stroke(collar[1:4] * (side, 1), shaded(colour, 0.68), 0.035)


def _paint_suit(brush: Brush, traits: Traits) -> None:
    neck, white = traits.neck_width, shaded(traits.accent, 0.4 + 0.6 * 255 / max(60, *traits.accent))
    front = np.array([(neck * 1.1, -0.12), (neck * 0.9, 0.6), (0.0, 2.2)])
    brush.fill(mirrored(front), white, None)
    tie = shaded((traits.accent[2], traits.accent[0], traits.accent[1]), 0.8)
    if traits.shoulder_drop > 0.45:
        brush.fill(mirrored(np.array([(0.1, 0.3), (0.13, 0.5), (0.2, 1.9), (0.0, 2.2)])), tie, None)
        brush.fill(mirrored(np.array([(0.14, 0.26), (0.1, 0.52)])), shaded(tie, 0.8), None)
    _paint_collar_points(brush, neck, white)
    for side in (-1, 1):
        lapel = np.array(
            [
                (neck * 1.15, -0.2),
                (neck * 1.5, 0.45),
                (neck * 2.0, 0.75),
                (neck * 1.6, 0.95),
                (0.02, 2.3),
                (neck * 0.85, 0.8),
            ]
        )
        brush.fill(lapel * (side, 1), shaded(traits.cloth, 0.82), None)
        brush.stroke(lapel[1:5] * (side, 1), shaded(traits.cloth, 0.5), 0.03)


def _paint_collar_points(brush: Brush, neck: float, colour: Colour) -> None:
    for side in (-1, 1):
        points = np.array(
            [(neck * 0.95, -0.32), (neck * 1.2, -0.05), (neck * 0.85, 0.45), (0.08, 0.3), (neck * 0.6, 0.0)]
        )
        brush.fill(points * (side, 1), shaded(colour, 1.05), "body")
        brush.stroke(points[1:4] * (side, 1), shaded(colour, 0.75), 0.025)


def paint_scarf(brush: Brush, traits: Traits) -> None:
    """A cloth round the neck, for sitters who wear a headscarf."""
    neck = traits.neck_width
    brush.fill(ellipse((0.0, 0.0), (neck + 0.42, 0.5)), shaded(traits.accent, 0.85), "body")
    for y in (-0.1, 0.1, 0.28):
        brush.stroke(
            smooth(np.array([(-neck - 0.2, y - 0.12), (0, y + 0.1), (neck + 0.2, y - 0.12)]), closed=False),
            shaded(traits.accent, 0.66),
            0.04,
        )
