"""The traits of a synthetic sitter, sampled at random before anything is painted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

import numpy as np

from segmentation.data.synthetic.canvas import Colour, Frame, mixed, shaded

Hair = Literal["bald", "buzz", "short", "fringe", "swept", "curly", "bob", "long", "wavy", "bun", "tail"]
Clothes = Literal["tee", "v-neck", "shirt", "suit", "hoodie", "turtleneck", "tank", "wide"]
Pattern = Literal["plain", "stripes", "columns", "checks", "dots", "blocks"]
Glasses = Literal["none", "round", "square", "sun"]
Hat = Literal["none", "cap", "beanie", "brim", "scarf"]
Beard = Literal["none", "stubble", "full", "moustache"]

LONG_HAIR = frozenset({"bob", "long", "wavy", "tail"})
Kind = TypeVar("Kind", bound=str)

_SKINS: tuple[Colour, ...] = (
    (255, 224, 196), (244, 205, 172), (236, 188, 150), (224, 172, 130), (198, 140, 98), (164, 108, 70), (128, 80, 52),
    (96, 60, 42), (70, 46, 36),
)  # fmt: skip
_HAIRS: tuple[Colour, ...] = (
    (24, 20, 20), (44, 30, 24), (74, 48, 32), (110, 74, 46), (150, 108, 66), (205, 168, 110), (232, 208, 160),
    (150, 64, 34), (178, 176, 176), (226, 224, 222), (96, 60, 110), (40, 90, 130),
)  # fmt: skip
_HAIR_ODDS = np.array([16, 16, 14, 10, 8, 8, 5, 5, 6, 4, 1, 1], float)
_IRISES: tuple[Colour, ...] = ((60, 40, 26), (84, 56, 34), (96, 110, 70), (90, 120, 150), (110, 120, 124))


@dataclass(frozen=True, slots=True)
class Traits:
    """One sitter; lengths in half heads, ``turn`` and ``nod`` in radians (positive: to the right, down)."""

    head: Frame
    body: Frame
    turn: float
    nod: float
    skin: Colour
    face_width: float
    taper: float
    squareness: float
    hair: Hair
    hair_colour: Colour
    hair_volume: float
    hair_length: float
    hair_before_shoulders: bool
    parting: float
    beard: Beard
    brow: float
    iris: Colour
    eye_open: float
    smile: float
    mouth_open: float
    lips: Colour
    nose_width: float
    ear: float
    glasses: Glasses
    hat: Hat
    clothes: Clothes
    pattern: Pattern
    cloth: Colour
    accent: Colour
    neck_width: float
    neck_length: float
    shoulder_width: float
    shoulder_drop: float
    earrings: bool


def sample_traits(rng: np.random.Generator, height: int, width: int) -> Traits:
    """Samples a sitter for an image of ``height`` x ``width`` pixels."""
    head, body, neck_length = _pose(rng, height, width)
    skin = _skin(rng)
    long = rng.random() < 0.5
    styles: tuple[Hair, ...] = ("bob", "long", "wavy", "long", "bun", "tail", "curly")
    if not long:
        styles = ("bald", "buzz", "short", "short", "fringe", "swept", "swept", "curly")
    bearded = not long and rng.random() < 0.45
    cloth = _cloth(rng)
    return Traits(
        head=head,
        body=body,
        turn=float(np.clip(rng.normal(0, 0.28), -0.65, 0.65)),
        nod=float(np.clip(rng.normal(0, 0.12), -0.25, 0.25)),
        skin=skin,
        face_width=rng.uniform(0.68, 0.84),
        taper=rng.uniform(0.12, 0.36),
        squareness=rng.uniform(0.8, 1.05),
        hair=styles[rng.integers(len(styles))],
        hair_colour=_hair_colour(rng),
        hair_volume=rng.uniform(0.05, 0.2),
        hair_length=rng.uniform(0.9, 2.6),
        hair_before_shoulders=rng.random() < 0.5,
        parting=rng.uniform(-0.45, 0.45),
        beard=_one_of(rng, ("stubble", "full", "full", "moustache")) if bearded else "none",
        brow=rng.uniform(0.6, 1.4),
        iris=_IRISES[rng.integers(len(_IRISES))],
        eye_open=rng.uniform(0.7, 1.3) if rng.random() < 0.95 else 0.15,
        smile=rng.uniform(-0.3, 1.0),
        mouth_open=max(0.0, rng.uniform(-0.8, 1.0)),
        lips=mixed(shaded(skin, 0.8), (190, 40, 60), rng.uniform(0.2, 0.75 if long else 0.4)),
        nose_width=rng.uniform(0.8, 1.3),
        ear=rng.uniform(0.8, 1.2),
        glasses=_one_of(rng, get_args(Glasses)[1:]) if rng.random() < 0.3 else "none",
        hat=_one_of(rng, get_args(Hat)[1:]) if rng.random() < 0.16 else "none",
        clothes=_one_of(rng, get_args(Clothes)),
        pattern=_one_of(rng, get_args(Pattern)) if rng.random() < 0.65 else "plain",
        cloth=cloth,
        accent=_cloth(rng),
        neck_width=rng.uniform(0.34, 0.5),
        neck_length=neck_length,
        shoulder_width=rng.uniform(1.35, 2.25),
        shoulder_drop=rng.uniform(0.3, 0.75),
        earrings=long and rng.random() < 0.3,
    )


def _pose(rng: np.random.Generator, height: int, width: int) -> tuple[Frame, Frame, float]:
    unit = min(height, width)
    scale = unit * rng.uniform(0.115, 0.27)
    neck_length = rng.uniform(1.2, 1.5)
    top = rng.uniform(0.03, 0.3) * unit if rng.random() < 0.9 else -0.3 * scale
    x = width * rng.uniform(0.36, 0.64)
    # The whole head and part of the shoulders must be in the picture.
    y = min(top + 1.2 * scale, height - 1.6 * scale)
    tilt, lean = np.clip(rng.normal(0, 0.12), -0.35, 0.35), np.clip(rng.normal(0, 0.05), -0.12, 0.12)
    joint = np.array([[0.0, 1.0]])
    head = Frame((x, y), scale, float(tilt))
    # The neck starts inside the head, so that they stay connected when the head is tilted.
    pivot = head.to_pixels(joint * 0.6)[0]
    foot = Frame((pivot[0], pivot[1]), scale, float(lean)).to_pixels(joint * (neck_length - 0.6))[0]
    return head, Frame((float(foot[0]), float(foot[1])), scale, float(lean)), neck_length


def _skin(rng: np.random.Generator) -> Colour:
    place = rng.uniform(0, len(_SKINS) - 1)
    colour = mixed(_SKINS[int(place)], _SKINS[min(int(place) + 1, len(_SKINS) - 1)], place % 1)
    return mixed(colour, shaded((230, 120, 90), 0.4 + 0.6 * colour[0] / 255), rng.uniform(0, 0.18))


def _hair_colour(rng: np.random.Generator) -> Colour:
    return shaded(_HAIRS[rng.choice(len(_HAIRS), p=_HAIR_ODDS / _HAIR_ODDS.sum())], rng.uniform(0.8, 1.2))


def _cloth(rng: np.random.Generator) -> Colour:
    grey = rng.uniform(15, 240)
    spread = rng.uniform(0, 110) if rng.random() < 0.75 else 8
    red, green, blue = (int(np.clip(value, 8, 248)) for value in grey + spread * rng.uniform(-1, 1, 3))
    return red, green, blue


def _one_of(rng: np.random.Generator, kinds: tuple[Kind, ...]) -> Kind:
    return kinds[rng.integers(len(kinds))]
