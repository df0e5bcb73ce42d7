"""The canonical genotype: one for all genotypes of equal nets.

Nets are equal where the same templates are applied to the same outputs, in whatever order templates and layers are
listed. A layer stays in its half, which decides to which size it resizes, unless its inputs have one size. A template
that is applied once may have its inputs and operations swapped together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from segmentation.templates.genotype import FEATURES, LAYERS, STRIDED, TEMPLATES, Genotype, Layer, Template
from segmentation.templates.operations import SKIP
from segmentation.templates.strides import STRIDES, output_stride

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
    applied = min(_orders(genotype, _halves(genotype), {entry: entry for entry in range(FEATURES)}, ()))
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


def _halves(genotype: Genotype) -> list[set[bool]]:
    """For each layer whether it may stand in the first half (True), in the second one (False), or in both."""
    strides, found = list(STRIDES), []
    for place, layer in enumerate(genotype.layers):
        both = not layer.strided and strides[layer.first] == strides[layer.second]
        found.append({True, False} if both else {place < STRIDED})
        strides.append(output_stride(genotype, place, strides))
    return found


def _orders(
    genotype: Genotype, halves: Sequence[set[bool]], entries: Mapping[int, int], placed: tuple[_Applied, ...]
) -> Iterator[tuple[_Applied, ...]]:
    """Orders of the layers with the smallest beginning that can be completed; ``entries`` are new names by old ones."""
    if len(placed) == LAYERS:
        yield placed
        return
    half = len(placed) < STRIDED
    possible = [
        (applied, place)
        for place in range(LAYERS)
        if half in halves[place] and FEATURES + place not in entries
        for applied in _applied(genotype, place, entries)
    ]
    for _, alike in groupby(sorted(possible), key=itemgetter(0)):
        orders = [
            order
            for applied, place in alike
            for order in _orders(
                genotype, halves, {**entries, FEATURES + place: FEATURES + len(placed)}, (*placed, applied)
            )
        ]
        if orders:
            yield min(orders)
            return


def _applied(genotype: Genotype, place: int, entries: Mapping[int, int]) -> Iterator[_Applied]:
    """The layer; nothing where a layer that it reads is not placed yet."""
    layer = genotype.layers[place]
    if layer.first in entries and layer.second in entries:
        template = genotype.templates[layer.template]
        pairs = (template.first, entries[layer.first]), (template.second, entries[layer.second])
        if not layer.further and pairs[1] < pairs[0]:
            pairs = pairs[1], pairs[0]
        yield _Applied(pairs, template.aggregation, layer.further, layer.strided)
