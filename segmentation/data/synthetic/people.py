"""Scenes with people: none to several, near and far, whole figures and cut ones, behind things, in hard pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from segmentation.data.source import Pair
from segmentation.data.synthetic.background import render_background
from segmentation.data.synthetic.camera import degraded
from segmentation.data.synthetic.canvas import Brush, Canvas, Floats, Frame
from segmentation.data.synthetic.figure import paint_arm, paint_lower_body
from segmentation.data.synthetic.foreground import render_foreground
from segmentation.data.synthetic.light import cast_shadow, light_person, photograph
from segmentation.data.synthetic.scene import paint_person
from segmentation.data.synthetic.traits import Traits, sample_traits

_NUMBERS, _ODDS = (0, 1, 2, 3), (0.03, 0.7, 0.2, 0.07)
_SMALLEST, _LARGEST = 0.035, 0.42
"""Half a head's height as a share of the picture's shorter side."""
_OCCLUDED = 0.25
_PORTRAIT = 0.4
"""Share of single people who sit as in a portrait."""


def render_people(seed: int, index: int, height: int, width: int) -> Pair:
    """Scene number ``index`` of the series ``seed``: image and mask (0 background, 1 person).

    A pixel is a person's when visible people cover at least half of it. Equal arguments give equal pictures.
    """
    rng = np.random.default_rng([seed, index, 1])
    picture, person = render_background(rng, height, width), np.zeros((height, width), np.float32)
    for traits in _sitters(rng, height, width):
        colour, coverage = _rendered(traits, rng, height, width)
        picture = cast_shadow(picture, coverage, rng) * (1 - coverage)[..., None] + colour
        person = np.maximum(person, coverage)
    if rng.random() < _OCCLUDED:
        things, covered = render_foreground(rng, height, width)
        picture = picture * (1 - covered)[..., None] + things * covered[..., None]
        person = person * (1 - covered)
    image = degraded(photograph(picture, rng), rng)
    return np.array(image, np.uint8), (person >= 0.5).astype(np.uint8)


def _sitters(rng: np.random.Generator, height: int, width: int) -> list[Traits]:
    """People from the farthest to the nearest."""
    number = int(rng.choice(_NUMBERS, p=_ODDS))
    sitters = [sample_traits(rng, height, width) for _ in range(number)]
    if number == 1 and rng.random() < _PORTRAIT:
        return sitters
    unit = min(height, width)
    scales = np.sort(np.exp(rng.uniform(np.log(_SMALLEST), np.log(_LARGEST / max(1, number) ** 0.5), number)))
    return [_placed(one, float(scale) * unit, rng, height, width) for one, scale in zip(sitters, scales, strict=True)]


def _placed(traits: Traits, scale: float, rng: np.random.Generator, height: int, width: int) -> Traits:
    """The sitter at a random place; near ones may be cut by any edge."""
    margin = 0.6 * scale
    x = rng.uniform(margin, max(width - margin, margin + 1))
    lowest = max(height - 2.0 * scale, 0.5 * scale)
    y = rng.uniform(min(0.3 * scale, lowest), lowest) if rng.random() < 0.7 else rng.uniform(0.1, 0.4) * height
    head = replace(traits.head, origin=(float(x), float(y)), scale=scale, angle=float(rng.normal(0, 0.15)))
    foot = head.to_pixels(np.array([[0.0, 0.6]]))[0]
    body = Frame((float(foot[0]), float(foot[1])), scale, float(rng.normal(0, 0.08)))
    neck = body.to_pixels(np.array([[0.0, traits.neck_length - 0.6]]))[0]
    return replace(traits, head=head, body=replace(body, origin=(float(neck[0]), float(neck[1]))))


def _rendered(traits: Traits, rng: np.random.Generator, height: int, width: int) -> tuple[Floats, Floats]:
    """Colour multiplied by coverage, and coverage."""
    canvas = Canvas(height, width)
    body = Brush(canvas, traits.body)
    arms = [side for side in (-1, 1) if rng.random() < 0.6]
    before = rng.random() < 0.6
    if not before:
        for side in arms:
            paint_arm(body, traits, side, rng)
    paint_person(canvas, traits, rng, lambda: paint_lower_body(body, traits, rng))
    if before:
        for side in arms:
            paint_arm(body, traits, side, rng)
    colour, regions = canvas.finished()
    person = np.minimum(regions.sum(2), 1)
    colour = np.minimum(colour, person[..., None])
    return light_person(colour, regions, traits, rng), person
