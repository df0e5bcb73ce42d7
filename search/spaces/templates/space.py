"""The ``templates`` space: sampling and moves over genotypes (Nekrasov et al., WACV 2020)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import product
from random import Random

from typing_extensions import override

from search.architecture import Architecture
from search.spaces.genotype_space import GenotypeSpace
from search.spaces.space import Slot
from search.spaces.templates.canonical import canonical
from search.spaces.templates.cheaper import cheaper_genotypes, perhaps_cheaper_genotypes
from search.spaces.templates.choices import SLOTS, choices_of, genotype_of
from search.spaces.templates.count import fewest_genotypes
from search.spaces.templates.sampling import MOST_FURTHER, random_genotype
from segmentation.networks.plan import Plan
from segmentation.templates.genotype import FEATURES, LAYERS, MOST_REPEATS, Genotype, Layer, Template
from segmentation.templates.operations import MAXIMUM, SKIP
from segmentation.templates.plan import CHANNELS, plan
from segmentation.templates.widest import widest_plans

_NOTHING = Template(SKIP, SKIP, 0)
_SHRINKING = tuple(Template(first, second, 0) for first in (SKIP, MAXIMUM, 0) for second in (MAXIMUM, 0))
"""Of layers with stride 2."""


class TemplatesSpace(GenotypeSpace[Genotype]):
    """The first rows of an encoder and seven layers made of three templates (``segmentation/templates/plan.py``)."""

    name = "templates"
    published_agg = CHANNELS
    depths = MOST_FURTHER + 1
    """Repeats behind the first ones of the layers."""

    @property
    @override
    def slots(self) -> tuple[Slot, ...]:
        return SLOTS

    @override
    def fewest_genotypes(self) -> int:
        return fewest_genotypes()

    @override
    def random_genotype(self, depth: int, rng: Random) -> Genotype:
        return random_genotype(depth, rng)

    @override
    def genotype_of(self, choices: Mapping[str, int]) -> Genotype:
        return genotype_of(choices)

    @override
    def choices_of(self, size: int, genotype: Genotype) -> tuple[tuple[str, int], ...]:
        return choices_of(size, genotype)

    @override
    def canonical(self, genotype: Genotype) -> Genotype:
        return canonical(genotype)

    @override
    def parse_genotype(self, text: str) -> Genotype:
        return Genotype.parse(text)

    @override
    def smaller(self, architecture: Architecture) -> list[Architecture]:
        size, genotype = architecture["size"], self.genotype(architecture)
        found = [self.of(size, other) for other in cheaper_genotypes(genotype)]
        others = [self.of(size, other) for other in perhaps_cheaper_genotypes(genotype)]
        found += [other for other in others if self._costs_less(other, architecture)]
        found += self.with_smaller_size(architecture)
        return [other for other in dict.fromkeys(found) if other != architecture]

    def _costs_less(self, other: Architecture, than: Architecture) -> bool:
        (parameters, flops), (most_parameters, most_flops) = self._cost(other), self._cost(than)
        cheaper = (parameters, flops) != (most_parameters, most_flops)
        return cheaper and parameters <= most_parameters and flops <= most_flops

    def _cost(self, architecture: Architecture) -> tuple[int, int]:
        return self.parameters(architecture), self.lower(architecture).flops

    @override
    def smallest(self) -> list[Architecture]:
        # No operations and one output; the first layer may shrink a feature to almost nothing, for more channels.
        rest = tuple(Layer(entry, entry, 1, 0, 0) for entry in range(FEATURES, FEATURES + LAYERS - 1))
        genotypes = [
            Genotype((template, _NOTHING, _NOTHING), (Layer(first, second, 0, further, strided), *rest))
            for first, second, further in product(range(FEATURES), range(FEATURES), range(MOST_REPEATS))
            for template, strided in ((_NOTHING, 0), *((one, 1) for one in _SHRINKING))
        ]
        return list(dict.fromkeys(self.of(self._sizes[0], genotype) for genotype in genotypes))

    @override
    def plan(self, architecture: Architecture) -> Plan:
        return _plan(self.genotype(architecture), self.classes, self.encoder, self.agg)

    @override
    def widest(self) -> Iterator[Plan]:
        return widest_plans(self.classes, encoder=self.encoder, channels=self.agg)


@lru_cache(maxsize=4096)
def _plan(genotype: Genotype, classes: int, encoder: str, agg: int) -> Plan:
    return plan(genotype, classes, encoder=encoder, channels=agg)
