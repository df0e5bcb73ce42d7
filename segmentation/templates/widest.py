"""Nets of the ``templates`` space that together contain every layer at its largest."""

from __future__ import annotations

from collections.abc import Iterator

from segmentation.networks.plan import Plan
from segmentation.templates.genotype import LAYERS, STRIDED, TEMPLATES, Genotype, Layer, Template
from segmentation.templates.operations import MAXIMUM, SKIP, WEIGHTED
from segmentation.templates.plan import plan

_CHAIN = STRIDED + 1
"""Entry of the widest layer, which reads the strided layer before it, and so on."""
_KEEP, _FURTHER = Template(SKIP, SKIP, 0), 3


def widest_plans(classes: int, *, encoder: str, channels: int) -> Iterator[Plan]:
    """Plans whose layers, merged by name, are those of all nets of the space."""
    for genotype in _genotypes():
        yield plan(genotype, classes, encoder=encoder, channels=channels)


def _genotypes() -> Iterator[Genotype]:
    chain = [(number, number) for number in range(1, _CHAIN)]
    chain += [(_CHAIN, _CHAIN)] * (LAYERS - STRIDED)
    for operation in WEIGHTED:
        for aggregation in (0, 1) if operation == 0 else (0,):
            yield _of(chain, Template(operation, operation, aggregation))
    # Inputs of different widths, which are adapted.
    apart = [(number - 1, number) for number in range(1, _CHAIN)] + [(_CHAIN - 1, _CHAIN)] * (LAYERS - STRIDED)
    yield _of(apart, _KEEP)
    yield _of([(second, first) for first, second in apart], _KEEP)
    # Outputs that are collected behind another one, which is as large or larger.
    for template in (_KEEP, Template(MAXIMUM, MAXIMUM, 0)):
        for pairs in (_behind_chain(), [(1, 1)] * LAYERS, _behind_pair()):
            entry = 1 if template == _KEEP else 0
            yield _of([(entry, entry), *pairs[1:]], template, strided_from=2)
        # The finest one is the first that reads the whole chain.
        yield _of([*chain[:STRIDED], (0, _CHAIN), *chain[STRIDED + 1 :]], template)


def _behind_chain() -> list[tuple[int, int]]:
    """The first layer stays apart, the last ones read the strided ones."""
    return [(1, 1), (1, 1), (3, 3)] + [(_CHAIN, _CHAIN)] * (LAYERS - STRIDED)


def _behind_pair() -> list[tuple[int, int]]:
    """The first layer stays apart, and so does the last strided one, which reads the one before."""
    return [(1, 1), (1, 1), (3, 3)] + [(1, 1)] * (LAYERS - STRIDED)


def _of(pairs: list[tuple[int, int]], template: Template, *, strided_from: int = 1) -> Genotype:
    layers = [
        Layer(*pair, int(number < strided_from), _FURTHER, int(strided_from <= number <= STRIDED))
        for number, pair in enumerate(pairs, start=1)
    ]
    return Genotype((template, _KEEP, *(_KEEP,) * (TEMPLATES - 2)), tuple(layers))
