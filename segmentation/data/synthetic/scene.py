"""A whole synthetic portrait: the sitter before a background, as an image with its exact mask."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from segmentation.data.source import Pair
from segmentation.data.synthetic.background import render_background
from segmentation.data.synthetic.canvas import Brush, Canvas
from segmentation.data.synthetic.clothes import paint_scarf, paint_torso
from segmentation.data.synthetic.face import paint_glasses, paint_head
from segmentation.data.synthetic.hair import paint_hair_before, paint_hair_behind, paint_hat, paint_locks
from segmentation.data.synthetic.light import cast_shadow, light_person, photograph
from segmentation.data.synthetic.traits import Traits, sample_traits


def render_portrait(seed: int, index: int, height: int, width: int) -> Pair:
    """Portrait number ``index`` of the series ``seed``: image and mask (0 background, 1 person).

    The person is drawn at twice the size, so that edges are smooth in the image; a pixel belongs to the person when
    the person covers at least half of it. Equal arguments give equal pictures.
    """
    rng = np.random.default_rng([seed, index])
    traits = sample_traits(rng, height, width)
    canvas = Canvas(height, width)
    paint_person(canvas, traits, rng)
    colour, regions = canvas.finished()
    person = np.minimum(regions.sum(2), 1)
    # What was drawn without a region must not show outside the person.
    colour = light_person(np.minimum(colour, person[..., None]), regions, traits, rng)
    background = cast_shadow(render_background(rng, height, width), person, rng)
    picture = background * (1 - person)[..., None] + colour
    image = np.array(photograph(picture, rng), np.uint8)
    return image, (person >= 0.5).astype(np.uint8)


def paint_person(
    canvas: Canvas, traits: Traits, rng: np.random.Generator, after_torso: Callable[[], None] | None = None
) -> None:
    """Paints the sitter from behind to before; ``after_torso`` paints what lies between torso and head."""
    head, body = Brush(canvas, traits.head), Brush(canvas, traits.body)
    paint_hair_behind(head, traits, rng)
    paint_torso(body, traits, rng)
    if after_torso is not None:
        after_torso()
    if traits.hair_before_shoulders:
        paint_locks(head, traits, rng)
    if traits.hat == "scarf":
        paint_scarf(body, traits)
    paint_head(head, traits, rng)
    paint_hair_before(head, traits, rng)
    paint_glasses(head, traits)
    paint_hat(head, traits)
