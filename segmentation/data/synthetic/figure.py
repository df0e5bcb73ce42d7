"""Arms, hips and legs, for sitters of whom more than head and shoulders is in the picture."""

from __future__ import annotations

import numpy as np

from segmentation.data.synthetic.canvas import Brush, Colour, Points, ellipse, mirrored, shaded, smooth
from segmentation.data.synthetic.traits import Traits

HIPS = 4.6
"""Height of the hips below the neck, in half heads; a whole figure is about seven and a half heads tall."""
_KNEES, _FEET = 7.9, 11.2
_UPPER_ARM, _FOREARM, _HAND = 2.6, 2.3, 0.42
_SHOULDER_INSET = 0.16
_BOTTOM = 14.0


def paint_lower_body(brush: Brush, traits: Traits, rng: np.random.Generator) -> None:
    """Takes away what lies below the hips and paints trousers or a skirt, legs and shoes instead."""
    wide = 0.62 * traits.shoulder_width
    brush.erase(np.array([(-6.0, HIPS), (6.0, HIPS), (6.0, _BOTTOM), (-6.0, _BOTTOM)]))
    skirt = rng.random() < 0.25
    stance = rng.uniform(0.1, 0.9)
    for side in (-1, 1):
        bend = rng.normal(0, 0.25)
        hip, knee = (side * wide * 0.5, HIPS - 0.1), (side * (wide * 0.5 + stance * 0.4) + bend, _KNEES)
        foot = (side * (wide * 0.5 + stance * 0.6), _FEET)
        colour = traits.skin if skirt else traits.accent
        _limb(brush, (hip, knee, foot), (0.52 * wide, 0.42, 0.3), colour)
        brush.fill(ellipse((foot[0] + side * 0.18, _FEET + 0.15), (0.5, 0.24)), shaded(traits.cloth, 0.4), "body")
    hem = (wide * rng.uniform(1.1, 1.8), rng.uniform(5.8, 8.4)) if skirt else (wide, HIPS + 0.6)
    outline = np.array([(0.0, HIPS - 0.5), (wide * 1.05, HIPS - 0.5), hem, (0.0, hem[1])])
    brush.fill(mirrored(outline), traits.accent, "body")


def paint_arm(brush: Brush, traits: Traits, side: int, rng: np.random.Generator) -> None:
    """An arm that hangs, rests, is folded or raised; ``side`` is 1 for the right of the picture."""
    shoulder = np.array([side * (traits.shoulder_width - _SHOULDER_INSET), traits.shoulder_drop + 0.3])
    upper = rng.choice((0.15, 0.35, 0.7, 1.9)) + rng.normal(0, 0.2)
    bend = rng.choice((0.1, -0.9, -1.7, 1.2)) + rng.normal(0, 0.25)
    elbow = shoulder + _UPPER_ARM * _direction(side, upper)
    hand = elbow + _FOREARM * _direction(side, upper + bend)
    sleeve = traits.skin if traits.clothes in ("tank", "wide") else traits.cloth
    # Sleeves and trunk differ a little in brightness, as they do under real light.
    sleeve = shaded(sleeve, rng.uniform(0.8, 1.1))
    lower = traits.skin if traits.clothes == "tee" or sleeve == traits.skin else sleeve
    thick = rng.uniform(0.3, 0.42)
    _limb(brush, (tuple(shoulder), tuple(elbow)), (thick, thick * 0.85), sleeve)
    _limb(brush, (tuple(elbow), tuple(hand)), (thick * 0.85, thick * 0.6), lower)
    _paint_hand(brush, traits, hand, rng)


def _paint_hand(brush: Brush, traits: Traits, hand: Points, rng: np.random.Generator) -> None:
    turn = rng.uniform(0, np.pi)
    brush.fill(_turned(ellipse((0.0, 0.0), (_HAND, 0.3)), turn) + hand, traits.skin, "body")
    for finger in np.linspace(-0.2, 0.2, 4):
        line = _turned(np.array([(_HAND * 0.6, finger), (_HAND * 1.7, finger * rng.uniform(0.8, 2.0))]), turn) + hand
        brush.stroke(line, shaded(traits.skin, 0.94), 0.13, "body")


def _limb(brush: Brush, joints: tuple[tuple[float, float], ...], radii: tuple[float, ...], colour: Colour) -> None:
    """A limb through its joints, half as wide at each of them as ``radii``."""
    line = np.array(joints, float)
    along = np.gradient(line, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], 1) / np.maximum(np.hypot(*along.T), 1e-6)[:, None]
    offset = across * np.array(radii)[:, None]
    brush.fill(np.concatenate([line + offset, (line - offset)[::-1]]), colour, "body")
    for joint, radius in zip(joints, radii, strict=True):
        brush.fill(ellipse(joint, (radius, radius)), colour, "body")
    shadow = smooth(line + 0.5 * offset, closed=False)
    brush.stroke(shadow, shaded(colour, 0.75), 0.12, alpha=90)


def _direction(side: int, angle: float) -> Points:
    """Unit vector; 0 hangs down, positive angles turn away from the body."""
    return np.array([side * np.sin(angle), np.cos(angle)])


def _turned(points: Points, angle: float) -> Points:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.asarray(points @ np.array([[cosine, sine], [-sine, cosine]]), np.float64)
