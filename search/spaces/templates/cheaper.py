"""Genotypes of cheaper nets: the moves of a repair."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from segmentation.templates.genotype import Genotype, Layer, Template
from segmentation.templates.operations import MAXIMUM, POOLED, SKIP, WEIGHTED

_SMALLER_KERNEL = {1: (0,), 4: (0,)}
"""Operations that shrink their input as much, by operation."""
_LESS = dict.fromkeys(WEIGHTED, (MAXIMUM, POOLED, SKIP)) | {MAXIMUM: (POOLED, SKIP), POOLED: (SKIP,)}
"""Operations that cost less where nothing is shrunk, by operation."""


def cheaper_genotypes(genotype: Genotype) -> Iterator[Genotype]:
    """Genotypes without more parameters and work: not canonical, and some may be equal to the given one."""
    for place, template in enumerate(genotype.templates):
        for other in _cheaper_templates(template, shrinks=_shrinks(template, _layers_of(genotype, place))):
            yield _with_template(genotype, place, other)
    for place, layer in enumerate(genotype.layers):
        if not _shrinks(genotype.templates[layer.template], [layer]):
            yield from _with_less(genotype, place)


def perhaps_cheaper_genotypes(genotype: Genotype) -> Iterator[Genotype]:
    """Genotypes with less of something that shrinks maps: parameters and work decide."""
    for place, layer in enumerate(genotype.layers):
        if _shrinks(genotype.templates[layer.template], [layer]):
            yield from _with_less(genotype, place)


def _layers_of(genotype: Genotype, template: int) -> list[Layer]:
    return [layer for layer in genotype.layers if layer.template == template]


def _shrinks(template: Template, layers: Iterable[Layer]) -> bool:
    """Whether one of these layers of the template has outputs smaller than its inputs."""
    strided = any(layer.strided for layer in layers)
    return strided and not {template.first, template.second} <= {POOLED, SKIP}


def _cheaper_templates(template: Template, *, shrinks: bool) -> Iterator[Template]:
    less = {} if shrinks else _LESS
    for other in (*_SMALLER_KERNEL.get(template.first, ()), *less.get(template.first, ())):
        yield template._replace(first=other)
    for other in (*_SMALLER_KERNEL.get(template.second, ()), *less.get(template.second, ())):
        yield template._replace(second=other)
    if template.aggregation:
        yield template._replace(aggregation=0)


def _with_template(genotype: Genotype, place: int, template: Template) -> Genotype:
    templates = (*genotype.templates[:place], template, *genotype.templates[place + 1 :])
    return genotype._replace(templates=templates)


def _with_less(genotype: Genotype, place: int) -> Iterator[Genotype]:
    """A repeat less, or stride 1, which also leaves the number of channels."""
    layer = genotype.layers[place]
    changed = [layer._replace(further=layer.further - 1)] if layer.further else []
    changed += [layer._replace(strided=0)] if layer.strided else []
    for other in changed:
        yield genotype._replace(layers=(*genotype.layers[:place], other, *genotype.layers[place + 1 :]))
