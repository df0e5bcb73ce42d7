"""Ears, eyes, brows, nose, mouth, beard and glasses."""

from __future__ import annotations

import numpy as np

from segmentation.data.synthetic.canvas import Brush, Colour, Points, ellipse, mixed, moved, shaded, smooth
from segmentation.data.synthetic.hair import head_outline
from segmentation.data.synthetic.traits import Traits

_EYE_X, _EYE_Y, _BROW_Y, _NOSE_Y, _MOUTH_Y = 0.31, -0.04, -0.24, 0.32, 0.6


def paint_head(brush: Brush, traits: Traits, rng: np.random.Generator) -> None:
    """The face with everything on it."""
    _paint_ears(brush, traits)
    brush.fill(head_outline(traits), traits.skin, "head")
    _paint_beard(brush, traits, rng)
    _paint_nose(brush, traits)
    _paint_mouth(brush, traits)
    for side in (-1, 1):
        _paint_eye(brush, traits, side)
        _paint_brow(brush, traits, side)
    _paint_marks(brush, traits, rng)


def paint_glasses(brush: Brush, traits: Traits) -> None:
    """Spectacles or sunglasses, if the sitter wears any; the frame is part of the person."""
    if traits.glasses == "none":
        return
    dark = traits.glasses == "sun"
    frame: Colour = (28, 24, 26) if dark or traits.brow > 0.9 else mixed(traits.accent, (60, 50, 45), 0.5)
    radii = {"round": (0.22, 0.21), "square": (0.24, 0.16), "sun": (0.26, 0.2)}[traits.glasses]
    for side in (-1, 1):
        lens = ellipse((side * _EYE_X, _EYE_Y + 0.02), radii, 24)
        if traits.glasses != "round":
            away = lens - (side * _EYE_X, _EYE_Y + 0.02)
            lens = lens + np.sign(away) * np.abs(away) * 0.16
        lens = on_face(lens, traits)
        brush.fill(lens, (20, 22, 30) if dark else (235, 245, 255), "head" if dark else None, alpha=235 if dark else 36)
        brush.stroke(np.concatenate([lens, lens[:1]]), frame, 0.045, "head")
        arm = on_face(
            np.array([(side * (_EYE_X + radii[0]), _EYE_Y - 0.03), (side * traits.face_width, _EYE_Y - 0.06)]), traits
        )
        brush.stroke(arm, frame, 0.04, "head")
    bridge = on_face(
        np.array([(-_EYE_X + radii[0], _EYE_Y), (0.0, _EYE_Y - 0.05), (_EYE_X - radii[0], _EYE_Y)]), traits
    )
    brush.stroke(bridge, frame, 0.045, "head")


def on_face(points: Points, traits: Traits) -> Points:
    """Points of a face seen from the front, moved to their places in the turned and nodding face."""
    radius = 0.92
    longitude = np.arcsin(np.clip(points[:, 0] / radius, -1, 1)) + traits.turn
    bulge = np.sqrt(np.clip(1 - (points[:, 0] / radius) ** 2, 0, 1))
    x = radius * np.sin(np.clip(longitude, -1.45, 1.45)) - 0.35 * np.sin(traits.turn)
    return np.stack([x, points[:, 1] + 0.4 * traits.nod * bulge], 1)


def _paint_ears(brush: Brush, traits: Traits) -> None:
    for side in (-1, 1):
        x = side * traits.face_width - 0.22 * traits.turn * (1 if side * traits.turn > 0 else 0.4)
        y = 0.06 - 0.2 * traits.nod
        brush.oval((x, y), (0.13 * traits.ear, 0.24 * traits.ear), shaded(traits.skin, 0.92), "head")
        brush.oval((x, y), (0.07 * traits.ear, 0.16 * traits.ear), shaded(traits.skin, 0.72))
        if traits.earrings:
            brush.oval((x, y + 0.3 * traits.ear), (0.05, 0.07), (230, 200, 90), "head")


def _paint_eye(brush: Brush, traits: Traits, side: int) -> None:
    x, y, tall = side * _EYE_X, _EYE_Y, 0.075 * traits.eye_open
    socket = ellipse((x, y - 0.03), (0.2, 0.13))
    brush.fill(on_face(socket, traits), shaded(traits.skin, 0.8), None, alpha=70)
    almond = np.array(
        [(-0.155, 0.02), (-0.07, -tall), (0.06, -tall), (0.155, -0.01), (0.07, tall * 0.8), (-0.07, tall * 0.8)]
    )
    white = on_face(smooth(almond) * (side, 1) + (x, y), traits)
    brush.fill(white, (238, 234, 230))
    if traits.eye_open > 0.3:
        brush.fill(on_face(ellipse((x, y), (0.075, min(0.075, tall)), 16), traits), traits.iris)
        brush.fill(on_face(ellipse((x, y), (0.035, min(0.035, tall)), 12), traits), (14, 12, 12))
        brush.fill(on_face(ellipse((x + 0.025, y - 0.025), (0.018, 0.018), 8), traits), (250, 250, 250))
    lid = np.array([(-0.165, 0.03), (-0.07, -tall - 0.005), (0.06, -tall - 0.005), (0.165, -0.015)]) * (side, 1) + (
        x,
        y,
    )
    brush.stroke(on_face(smooth(lid, closed=False), traits), shaded(traits.hair_colour, 0.4), 0.035)
    crease = moved(lid, 0, -0.055)
    brush.stroke(on_face(smooth(crease, closed=False), traits), shaded(traits.skin, 0.66), 0.02, alpha=160)


def _paint_brow(brush: Brush, traits: Traits, side: int) -> None:
    thick = 0.045 * traits.brow
    upper = np.array([(-0.19, 0.025), (-0.05, -0.03 - thick), (0.1, -0.04 - thick), (0.22, 0.03)])
    lower = np.array([(0.1, -0.02), (-0.05, 0.0 + thick * 0.4), (-0.19, 0.025 + thick)])
    brow = smooth(np.concatenate([upper, lower])) * (side, 1) + (side * (_EYE_X + 0.01), _BROW_Y)
    colour = mixed(shaded(traits.hair_colour, 0.75), shaded(traits.skin, 0.5), 0.3)
    brush.fill(on_face(brow, traits), colour, None, alpha=215)


def _paint_nose(brush: Brush, traits: Traits) -> None:
    wide = 0.13 * traits.nose_width
    shade = 1.0 if traits.turn < 0 else -1.0
    bridge = np.array(
        [
            (0.04, -0.12),
            (0.055, 0.1),
            (wide * 0.9, _NOSE_Y - 0.06),
            (wide, _NOSE_Y),
            (0.03, _NOSE_Y - 0.02),
            (0.015, 0.0),
        ]
    )
    brush.fill(on_face(smooth(bridge) * (shade, 1), traits), shaded(traits.skin, 0.78), None, alpha=120)
    base = np.array(
        [
            (-wide, _NOSE_Y - 0.04),
            (-wide * 0.7, _NOSE_Y + 0.03),
            (0, _NOSE_Y + 0.055),
            (wide * 0.7, _NOSE_Y + 0.03),
            (wide, _NOSE_Y - 0.04),
        ]
    )
    brush.stroke(on_face(smooth(base, closed=False), traits), shaded(traits.skin, 0.62), 0.03, alpha=190)
    for side in (-1, 1):
        brush.fill(
            on_face(ellipse((side * wide * 0.5, _NOSE_Y + 0.02), (0.035, 0.018), 10), traits), shaded(traits.skin, 0.35)
        )
    brush.fill(
        on_face(ellipse((-0.02 * shade, _NOSE_Y - 0.06), (0.035, 0.05), 12), traits),
        shaded(traits.skin, 1.15),
        None,
        alpha=110,
    )


def _paint_mouth(brush: Brush, traits: Traits) -> None:
    wide, curve, gap = 0.23 + 0.05 * traits.smile, 0.06 * traits.smile, 0.07 * traits.mouth_open
    corners = np.array([(-wide, -curve), (wide, -curve)])
    upper = np.array([(-0.08, -0.055), (0.0, -0.04), (0.08, -0.055)])
    lower = np.array([(0.12, 0.06 + gap), (0.0, 0.085 + gap), (-0.12, 0.06 + gap)])
    outline = moved(np.concatenate([corners[:1], upper, corners[1:], lower]), 0, _MOUTH_Y)
    brush.fill(on_face(smooth(outline), traits), traits.lips)
    middle = np.array(
        [(-wide * 0.85, -curve * 0.6), (-0.08, 0.01), (0, 0.015), (0.08, 0.01), (wide * 0.85, -curve * 0.6)]
    )
    if gap > 0.01:
        hole = moved(np.concatenate([middle, np.array([(0.1, gap + 0.02), (-0.1, gap + 0.02)])]), 0, _MOUTH_Y)
        brush.fill(on_face(smooth(hole), traits), (70, 24, 26))
        teeth = np.concatenate([middle[1:4], np.array([(0.09, 0.01 + gap * 0.6), (-0.09, 0.01 + gap * 0.6)])])
        brush.fill(on_face(smooth(moved(teeth, 0, _MOUTH_Y)), traits), (240, 236, 228))
    else:
        brush.stroke(on_face(smooth(moved(middle, 0, _MOUTH_Y), closed=False), traits), shaded(traits.lips, 0.5), 0.025)
    under = ellipse((0.0, _MOUTH_Y + 0.15 + gap), (0.12, 0.03), 12)
    brush.fill(on_face(under, traits), shaded(traits.skin, 0.72), None, alpha=100)


def _paint_beard(brush: Brush, traits: Traits, rng: np.random.Generator) -> None:
    if traits.beard == "none":
        return
    colour = mixed(traits.hair_colour, shaded(traits.skin, 0.5), 0.15)
    if traits.beard in ("full", "stubble"):
        face = head_outline(traits)
        jaw = face[(face[:, 1] > 0.12)] * (1.0, 1.0)
        jaw = jaw[np.argsort(-jaw[:, 0])]
        if traits.beard == "full":
            jaw = jaw * (1.015, 1.0) + np.stack([0 * jaw[:, 0], 0.14 * rng.random() * np.clip(jaw[:, 1], 0, 1) ** 3], 1)
        shift = float(on_face(np.zeros((1, 2)), traits)[0, 0])
        inner = np.array(
            [(-0.62, 0.3), (-0.42, 0.42), (-0.25, 0.45), (0.0, 0.4), (0.25, 0.45), (0.42, 0.42), (0.62, 0.3)]
        )
        inner = inner * (traits.face_width / 0.78, 1) + (shift * 0.7, 0)
        outline = np.concatenate([jaw, inner])
        brush.fill(
            outline, colour, "head" if traits.beard == "full" else None, alpha=255 if traits.beard == "full" else 80
        )
        if traits.beard == "full":
            for place in rng.uniform((-0.5, 0.5), (0.5, 0.95), (30, 2)):
                hair = np.array([place, moved(place, rng.normal(0, 0.03), 0.07)]) * (0.9, 0.95)
                brush.stroke(hair, shaded(colour, rng.uniform(0.6, 1.5)), 0.02, alpha=110)
    if traits.beard != "stubble":
        lip = np.array(
            [
                (-0.27, 0.56),
                (-0.15, 0.42),
                (0.0, 0.44),
                (0.15, 0.42),
                (0.27, 0.56),
                (0.12, 0.54),
                (0.0, 0.53),
                (-0.12, 0.54),
            ]
        )
        brush.fill(on_face(smooth(lip), traits), shaded(colour, 0.9))


def _paint_marks(brush: Brush, traits: Traits, rng: np.random.Generator) -> None:
    """Lines from nose to mouth, a mole or freckles."""
    for side in (-1, 1):
        fold = np.array([(side * 0.17, _NOSE_Y), (side * 0.28, 0.45), (side * (0.31 + 0.04 * traits.smile), _MOUTH_Y)])
        brush.stroke(
            on_face(smooth(fold, closed=False), traits),
            shaded(traits.skin, 0.7),
            0.022,
            alpha=int(40 + 70 * max(0, traits.smile)),
        )
    for place in rng.uniform((-0.45, 0.05), (0.45, 0.4), (int(rng.integers(0, 8)), 2)):
        brush.fill(
            on_face(ellipse((place[0], place[1]), (0.012, 0.012), 6), traits), shaded(traits.skin, 0.6), None, alpha=120
        )
