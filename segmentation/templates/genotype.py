"""Genotypes: templates of two operations and an aggregation, and layers made of them (Nekrasov et al., WACV 2020)."""

from __future__ import annotations

import json
from typing import NamedTuple

from pydantic import TypeAdapter

from segmentation.genotype_text import genotype_error, read_genotype

FEATURES = 2
"""Of the encoder: entries 0 and 1 of the pool that layers read; each layer adds an entry."""
TEMPLATES, LAYERS, MOST_REPEATS = 3, 7, 4
STRIDED = LAYERS // 2
"""The first layers, which may have stride 2."""
OPERATIONS, AGGREGATIONS = 6, 2
"""How many there are."""


class Template(NamedTuple):
    """An operation on each of two inputs, and how both results become one."""

    first: int
    second: int
    aggregation: int


class Layer(NamedTuple):
    """A template on two entries of the pool, once and ``further`` times; ``strided`` is 1 for stride 2, 0 for 1."""

    first: int
    second: int
    template: int
    further: int
    strided: int


class Genotype(NamedTuple):
    """Three templates and seven layers; the text is that of the published code."""

    templates: tuple[Template, ...]
    layers: tuple[Layer, ...]

    def __str__(self) -> str:
        return json.dumps(self)

    @staticmethod
    def parse(text: str) -> Genotype:
        """Reads ``[[[3, 0, 1], ...], [[0, 1, 0, 0, 1], ...]]``: three templates and seven layers.

        Raises:
            UserError: another form, or a number that is out of range.
        """
        expected = f"[{TEMPLATES} templates of 3 numbers, {LAYERS} layers of 5 numbers]"
        templates, layers = read_genotype(text, _FORM, expected=expected, example=_EXAMPLE)
        genotype = Genotype(tuple(Template(*numbers) for numbers in templates), tuple(Layer(*one) for one in layers))
        genotype.check()
        return genotype

    def check(self) -> None:
        """Raises ``UserError`` where there are more or fewer templates or layers, or a number is out of range."""
        if (len(self.templates), len(self.layers)) != (TEMPLATES, LAYERS):
            raise genotype_error(
                f"{len(self.templates)} templates and {len(self.layers)} layers",
                f"{TEMPLATES} templates and {LAYERS} layers",
                _EXAMPLE,
            )
        for number, template in enumerate(self.templates, start=1):
            _check(f"template {number}", template, (OPERATIONS, OPERATIONS, AGGREGATIONS))
        for number, layer in enumerate(self.layers, start=1):
            _check(f"layer {number}", layer, layer_choices(number))


def layer_choices(number: int) -> tuple[int, int, int, int, int]:
    """How many values each part of a layer (from 1) can take."""
    entries = FEATURES + number - 1
    return entries, entries, TEMPLATES, MOST_REPEATS, 2 if number <= STRIDED else 1


_EXAMPLE = (
    "[[[3, 0, 1], [4, 1, 1], [3, 1, 1]], [[0, 1, 0, 0, 1], [2, 1, 2, 1, 0], "
    "[3, 1, 1, 1, 0], [1, 1, 2, 0, 0], [3, 0, 2, 0, 0], [5, 3, 2, 1, 0], [0, 5, 0, 1, 0]]]"
)
_FORM = TypeAdapter(tuple[list[tuple[int, int, int]], list[tuple[int, int, int, int, int]]])


def _check(what: str, numbers: Template | Layer, counts: tuple[int, ...]) -> None:
    for name, number, count in zip(numbers._fields, numbers, counts, strict=True):
        if not 0 <= number < count:
            raise genotype_error(f"{number} for {name} of {what}", f"0 to {count - 1}", _EXAMPLE)
