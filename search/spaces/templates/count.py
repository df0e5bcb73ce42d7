"""How many different nets the ``templates`` space holds at least."""

from __future__ import annotations

from math import comb, factorial, prod

from segmentation.templates.genotype import AGGREGATIONS, LAYERS, OPERATIONS, STRIDED, TEMPLATES, layer_choices


def fewest_genotypes() -> int:
    """Nets of three different templates that are all applied, each with its operations in order.

    Not more of these genotypes are equal than there are orders of the templates, of the layers of each half, and of
    both inputs of each layer.
    """
    kinds = AGGREGATIONS * comb(OPERATIONS + 1, 2)
    templates = prod(kinds - number for number in range(TEMPLATES))
    others = _surjections(LAYERS, TEMPLATES)
    for number in range(1, LAYERS + 1):
        first, second, _, repeats, strides = layer_choices(number)
        others *= first * second * repeats * strides
    orders = factorial(TEMPLATES) * factorial(STRIDED) * factorial(LAYERS - STRIDED) * 2**LAYERS
    found: int = templates * others // orders
    return found


def _surjections(places: int, kinds: int) -> int:
    """Ways to put kinds in places so that each occurs."""
    signed: list[int] = [(-1) ** absent * comb(kinds, absent) * (kinds - absent) ** places for absent in range(kinds)]
    return sum(signed)
