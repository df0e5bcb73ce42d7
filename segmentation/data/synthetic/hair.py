"""Hair and hats."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from segmentation.data.synthetic.canvas import Brush, Points, ellipse, mirrored, moved, shaded, smooth
from segmentation.data.synthetic.traits import LONG_HAIR, Traits

_CAP_POINTS = 41


def head_outline(traits: Traits, count: int = 56) -> Points:
    """The face with its skull, chin at y = 1 and crown at y = -1."""
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    x, y = np.cos(angles), np.sin(angles)
    x = np.sign(x) * np.abs(x) ** traits.squareness
    lower = np.clip(y, 0, 1)
    width = traits.face_width * (1 - traits.taper * lower**1.6)
    # Cheek bones stand out a little, the skull is a little wider behind them.
    width = width * (1 + 0.03 * np.exp(-(((y - 0.2) / 0.25) ** 2)) + 0.05 * np.clip(-y, 0, 1))
    return np.stack([x * width, y], 1)


def paint_hair_behind(brush: Brush, traits: Traits, rng: np.random.Generator) -> None:
    """Hair behind the head: long hair, curls, a bun, a pony tail."""
    if traits.hat == "scarf":
        return
    wide, volume, length = traits.face_width, traits.hair_volume, traits.hair_length
    match traits.hair:
        case "bob" | "long" | "wavy":
            reach = {"bob": 0.95, "long": 0.6 + length, "wavy": 0.5 + length}[traits.hair]
            _paint_curtain(brush, traits, wide + volume + 0.08, reach, rng)
        case "curly":
            radius = 1.0 + 2.2 * volume
            ball = _bumpy(ellipse((0.0, -0.25), (wide * 1.05 * radius, radius), 120), 0.045, 14, rng)
            brush.fill(ball, traits.hair_colour, "hair")
            _paint_curls(brush, traits, ball, rng)
        case "bun":
            place = (float(rng.uniform(-0.25, 0.25)) - 0.3 * traits.turn, -1.2 - volume)
            knot = _bumpy(ellipse(place, (0.36, 0.32), 48), 0.03, 6, rng)
            brush.fill(knot, shaded(traits.hair_colour, 0.88), "hair")
            _paint_curls(brush, traits, knot, rng)
        case "tail":
            side = 1 if rng.random() < 0.5 else -1
            tail = np.array(
                [
                    (0.2, -0.6),
                    (wide + 0.15, -0.3),
                    (wide + 0.4, 0.4),
                    (wide + 0.25, length),
                    (wide - 0.1, length + 0.2),
                    (wide - 0.1, 0.6),
                ]
            )
            brush.fill(smooth(tail) * (side, 1), shaded(traits.hair_colour, 0.85), "hair")
        case _:
            pass


def paint_locks(brush: Brush, traits: Traits, rng: np.random.Generator) -> None:
    """Long hair that falls over the shoulders, to the left and to the right of the face."""
    if traits.hair not in ("long", "wavy") or traits.hat == "scarf":
        return
    for side in (-1, 1):
        length = traits.hair_length * rng.uniform(0.85, 1.2) + 0.4
        y = np.linspace(-0.3, length, 12)
        wave = 0.07 * np.sin(y * 5 + rng.uniform(0, 6)) if traits.hair == "wavy" else 0.03 * np.sin(y * 2)
        outer = traits.face_width + traits.hair_volume + 0.1 + wave
        fall = np.clip((y + 0.3) / (length + 0.3), 0, 1)
        inner = traits.face_width * (0.86 - 0.12 * fall) + wave
        outer = outer * (1 - 0.25 * fall**3) + 0.12 * fall
        lock = np.concatenate([np.stack([outer, y], 1), np.stack([inner, y], 1)[::-1]])
        brush.fill(smooth(lock) * (side, 1), shaded(traits.hair_colour, 0.92), "hair")
        for share in np.linspace(0.15, 0.85, 7):
            strand = np.stack([inner + (outer - inner) * share, y], 1) * (side, 1)
            brush.stroke(strand[1:-1], shaded(traits.hair_colour, rng.uniform(0.65, 1.35)), 0.03, alpha=110)


def paint_hair_before(brush: Brush, traits: Traits, rng: np.random.Generator) -> None:
    """Hair on the skull and round the forehead, drawn over the face."""
    if traits.hair == "bald" or traits.hat == "scarf":
        return
    outer, inner = _cap(traits, rng)
    strip = np.concatenate([outer, inner[::-1]])
    if traits.hair == "buzz":
        brush.fill(strip, traits.hair_colour, None, alpha=150)
        return
    brush.fill(strip, traits.hair_colour, "hair")
    for place in rng.integers(1, len(outer) - 1, 34):
        start, end = rng.uniform(0.05, 0.4), rng.uniform(0.6, 0.97)
        bent = int(np.clip(place + rng.integers(-3, 4), 0, len(outer) - 1))
        ends = np.array(
            [inner[place] + (outer[place] - inner[place]) * start, inner[bent] + (outer[bent] - inner[bent]) * end]
        )
        brush.stroke(ends, shaded(traits.hair_colour, rng.uniform(0.6, 1.45)), 0.03, alpha=100)


def paint_hat(brush: Brush, traits: Traits) -> None:
    """A cap, beanie, brimmed hat or headscarf, if the sitter wears one."""
    wide, colour = traits.face_width * 1.12, traits.accent
    match traits.hat:
        case "beanie":
            dome = [(wide * 1.02, -0.42), (wide * 1.06, -0.75), (wide * 0.8, -1.22), (0.0, -1.42)]
            brush.fill(smooth(mirrored(np.array(dome)[::-1])), colour, "hair")
            rim = [(wide * 1.05, -0.68), (wide * 1.08, -0.42), (0.0, -0.38)]
            brush.fill(mirrored(np.array(rim)), shaded(colour, 0.8), "hair")
        case "cap":
            dome = [(0.0, -1.22), (wide * 0.75, -1.12), (wide * 1.04, -0.7), (wide * 1.02, -0.5), (0.0, -0.52)]
            brush.fill(smooth(mirrored(np.array(dome))), colour, "hair")
            shift = 0.5 * traits.turn
            brim = np.array([(wide * 0.85, -0.58), (wide * 0.95, -0.4), (wide * 0.5, -0.28), (0.0, -0.24)])
            brush.fill(moved(smooth(mirrored(brim)), shift, 0), shaded(colour, 0.72), "hair")
        case "brim":
            brush.fill(ellipse((0.0, -0.58), (wide * 1.75, 0.27)), shaded(colour, 0.75), "hair")
            crown = [(0.0, -1.38), (wide * 0.7, -1.36), (wide * 0.95, -1.1), (wide * 1.02, -0.58), (0.0, -0.5)]
            brush.fill(smooth(mirrored(np.array(crown))), colour, "hair")
            brush.stroke(np.array([(-wide, -0.68), (0, -0.62), (wide, -0.68)]), shaded(colour, 0.45), 0.12)
        case "scarf":
            _paint_headscarf(brush, traits)
        case _:
            pass


def _paint_headscarf(brush: Brush, traits: Traits) -> None:
    wide, colour = traits.face_width, traits.accent
    outer = [(0.0, -1.2), (wide * 0.8, -1.1), (wide * 1.22, -0.4), (wide * 1.22, 0.5), (wide * 0.95, 1.2), (0.0, 1.45)]
    inner = [
        (0.0, -0.68),
        (wide * 0.6, -0.62),
        (wide * 0.88, -0.1),
        (wide * 0.85, 0.4),
        (wide * 0.5, 0.92),
        (0.0, 1.04),
    ]
    right = np.concatenate([smooth(np.array(outer), closed=False), smooth(np.array(inner), closed=False)[::-1]])
    for side in (-1, 1):
        brush.fill(right * (side, 1), colour, "hair")
        for shift in (0.08, 0.2):
            fold = smooth(np.array(inner), closed=False) * (side * (1 + shift), 1 + shift * 0.4)
            brush.stroke(fold, shaded(colour, 0.7), 0.035, alpha=150)


def _cap(traits: Traits, rng: np.random.Generator) -> tuple[Points, Points]:
    """Outer and inner edge of the hair on the skull, from the left temple over the crown to the right temple."""
    side = {"curly": 0.35, "bob": 0.5, "long": 0.4, "wavy": 0.45, "buzz": 0.0}.get(traits.hair, rng.uniform(-0.1, 0.15))
    angles = np.linspace(np.pi - side, 2 * np.pi + side, _CAP_POINTS)
    skull = np.stack([np.cos(angles) * traits.face_width * 1.05, np.sin(angles)], 1)
    volume = {"buzz": 0.02, "bun": 0.05, "tail": 0.05, "curly": 0.12 + traits.hair_volume}.get(
        traits.hair, 0.04 + traits.hair_volume
    )
    if traits.hat in ("cap", "beanie", "brim"):
        volume = 0.03
    height = np.clip(-np.sin(angles), 0, 1)
    lift = 1 + volume * (0.55 + 0.6 * height)
    if traits.hair == "swept":
        lift = lift + 0.12 * height * np.exp(-(((np.cos(angles) - np.sign(traits.parting) * 0.5) / 0.6) ** 2))
    outer = skull * lift[:, None]
    if traits.hair == "curly":
        outer = _bumpy(outer, 0.05, 11, rng)
    elif traits.hair != "buzz":
        outer = _bumpy(outer, 0.012, 17, rng)
    return outer, _hairline(traits, outer, rng)


def _hairline(traits: Traits, outer: Points, rng: np.random.Generator) -> Points:
    """Lower edge of the hair: at the temples it meets the outer edge, in between it crosses the forehead."""
    place = np.linspace(-1, 1, _CAP_POINTS)
    shift = 0.35 * traits.turn
    x = place * traits.face_width * (0.93 if traits.hair in LONG_HAIR else 0.98)
    temple, level = outer[[0, -1], 1].mean() - 0.02, -0.66 + 0.25 * traits.nod
    arch = np.clip(1 - np.abs(place) ** 3.5, 0, 1)
    y = temple + (level - temple) * arch
    match traits.hair:
        case "fringe" | "bob":
            y = np.maximum(y, -0.36 - 0.1 * np.abs(place)) + 0.03 * np.sin(place * 23 + rng.uniform(0, 6))
        case "swept" | "long" | "wavy" | "short":
            y = y + 0.3 * np.exp(-(((place - traits.parting) / 0.5) ** 2)) * arch - 0.1 * arch
        case _:
            pass
    return np.stack([x + shift * arch * 0.4, y], 1)


def _paint_curtain(brush: Brush, traits: Traits, wide: float, reach: float, rng: np.random.Generator) -> None:
    y = np.linspace(-0.95, reach, 26)
    crown = np.sqrt(np.clip(1 - np.clip(-y, 0, 1) ** 2, 0.02, 1))
    fall = np.clip(y / max(reach, 0.5), 0, 1)
    edge = wide * crown * (1 + 0.22 * fall - 0.3 * fall**4)
    amplitude = 0.09 if traits.hair == "wavy" else 0.02
    left, right = (
        edge + amplitude * fall * np.sin(y * rng.uniform(4, 7) + rng.uniform(0, 6)) for _ in ("left", "right")
    )
    outline = np.concatenate([np.stack([right, y], 1), np.stack([-left, y + 0.08 * rng.random()], 1)[::-1]])
    brush.fill(smooth(outline, rounds=1), shaded(traits.hair_colour, 0.78), "hair")
    for share in rng.uniform(-0.95, 0.95, 26):
        strand = np.stack([share * np.where(share > 0, right, left), y], 1)
        brush.stroke(strand[2:-2], shaded(traits.hair_colour, rng.uniform(0.5, 1.1)), 0.03, alpha=110)


def _paint_curls(brush: Brush, traits: Traits, outline: Points, rng: np.random.Generator) -> None:
    centre = outline.mean(0)
    for _ in range(40):
        place = centre + (outline[rng.integers(len(outline))] - centre) * rng.uniform(0.2, 0.9)
        arc = ellipse((place[0], place[1]), (0.07, 0.06), 10)[: int(rng.integers(5, 10))]
        brush.stroke(arc, shaded(traits.hair_colour, rng.uniform(0.6, 1.6)), 0.025, alpha=130)


def _bumpy(points: Points, amplitude: float, bumps: int, rng: np.random.Generator) -> Points:
    """Moves points in and out, seen from their centre, by irregular waves."""
    place = np.linspace(0, 2 * np.pi, len(points))
    wave: npt.NDArray[np.float64] = np.zeros(len(points))
    for frequency, share in ((bumps, 1.0), (bumps * 2 + 1, 0.5), (max(2, bumps // 3), 0.7)):
        wave += share * np.sin(place * frequency + rng.uniform(0, 6))
    centre = points.mean(0)
    return np.asarray(centre + (points - centre) * (1 + amplitude * wave)[:, None], np.float64)
