"""The canonical genotype: one for all genotypes of equal nets.

Nets are equal where the same templates are applied to the same outputs: in whatever order templates are listed, and
layers within the half in which they may stand; a template that is applied once may have its inputs and operations
swapped together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from segmentation.templates.genotype import FEATURES, LAYERS, STRIDED, TEMPLATES, Genotype, Layer, Template
from segmentation.templates.operations import SKIP

_UNUSED = Template(SKIP, SKIP, 0)


class _Applied(NamedTuple):
    """A layer with its template; of one repeat, the smaller pair of operation and entry comes first."""

    pairs: tuple[tuple[int, int], tuple[int, int]]
    aggregation: int
    further: int
    strided: int

    @property
    def template(self) -> Template:
        (first, _), (second, _) = self.pairs
        return Template(first, second, self.aggregation)


@lru_cache(maxsize=1 << 16)
def canonical(genotype: Genotype) -> Genotype:
    """The canonical genotype of the same net."""
    applied = min(_orders(genotype, {entry: entry for entry in range(FEATURES)}, ()))
    fixed = {each.template for each in applied if each.further}
    templates: dict[Template, int] = {}
    layers = []
    for each in applied:
        (first, second), template = each.pairs, each.template
        swapped = Template(template.second, template.first, template.aggregation)
        if not each.further and template not in fixed and swapped in fixed:
            first, second, template = second, first, swapped
        number = templates.setdefault(template, len(templates))
        layers.append(Layer(first[1], second[1], number, each.further, each.strided))
    unused = (_UNUSED,) * (TEMPLATES - len(templates))
    return Genotype((*templates, *unused), tuple(layers))


def _orders(
    genotype: Genotype, entries: Mapping[int, int], placed: tuple[_Applied, ...]
) -> Iterator[tuple[_Applied, ...]]:
    """Layers in orders that begin with the smallest possible ones; ``entries`` are new names by old ones."""
    if len(placed) == LAYERS:
        yield placed
        return
    half = range(STRIDED) if len(placed) < STRIDED else range(STRIDED, LAYERS)
    ready = {place: _applied(genotype, place, entries) for place in half if FEATURES + place not in entries}
    possible = {place: applied for place, applied in ready.items() if applied is not None}
    smallest = min(possible.values())
    for place, applied in possible.items():
        if applied == smallest:
            yield from _orders(genotype, {**entries, FEATURES + place: FEATURES + len(placed)}, (*placed, applied))


def _applied(genotype: Genotype, place: int, entries: Mapping[int, int]) -> _Applied | None:
    """None where a layer that it reads is not placed yet."""
    layer = genotype.layers[place]
    if layer.first not in entries or layer.second not in entries:
        return None
    template = genotype.templates[layer.template]
    pairs = (template.first, entries[layer.first]), (template.second, entries[layer.second])
    if not layer.further and pairs[1] < pairs[0]:
        pairs = pairs[1], pairs[0]
    return _Applied(pairs, template.aggregation, layer.further, layer.strided)
