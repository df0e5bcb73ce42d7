"""The ``auxiliary-cells`` space: sampling and moves over genotypes (Nekrasov et al., CVPR 2019)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from random import Random

from typing_extensions import override

from foundation.errors import UserError
from search.architecture import Architecture
from search.spaces.auxiliary_cells.canonical import canonical
from search.spaces.auxiliary_cells.canonical_cell import IDENTITY
from search.spaces.auxiliary_cells.cheaper import cheaper_genotypes
from search.spaces.auxiliary_cells.choices import OPERATION_NAMES, SLOTS, choices_of, genotype_of
from search.spaces.auxiliary_cells.count import fewest_genotypes
from search.spaces.auxiliary_cells.sampling import random_genotype
from search.spaces.genotype_space import GenotypeSpace
from search.spaces.space import Slot
from segmentation.auxiliary_cells.cell_graph import cell_graph
from segmentation.auxiliary_cells.genotype import TAPS, Genotype
from segmentation.auxiliary_cells.plan import CHANNELS, plan
from segmentation.auxiliary_cells.widest import widest_plans
from segmentation.networks.plan import Plan


class AuxiliaryCellsSpace(GenotypeSpace[Genotype]):
    """A fixed encoder and a decoder of searched cells (``segmentation/auxiliary_cells/plan.py``)."""

    name = "auxiliary-cells"
    published_agg = CHANNELS
    depths = len(OPERATION_NAMES) + 1
    """Operations with weights."""

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
        # A search needs no operations without effect.
        return canonical(genotype, pruned=True)

    @override
    def canonical_as_given(self, genotype: Genotype) -> Genotype:
        return canonical(genotype)

    @override
    def smaller(self, architecture: Architecture) -> list[Architecture]:
        size = architecture["size"]
        found = [
            Architecture(self.name, choices_of(size, other)) for other in cheaper_genotypes(self.genotype(architecture))
        ]
        return found + self.with_smaller_size(architecture)

    @override
    def smallest(self) -> list[Architecture]:
        # No operations, and one feature alone: the finest one needs least of the encoder, the coarsest least behind it.
        return [
            self.of(self._sizes[0], Genotype(IDENTITY, ((tap, tap), (tap, TAPS), (tap, TAPS + 1))))
            for tap in range(TAPS)
        ]

    @override
    def parse_genotype(self, text: str) -> Genotype:
        genotype = Genotype.parse(text)
        if not cell_graph(genotype.cell).output:
            raise UserError(
                "genotype",
                seen=f"{genotype}, whose cell yields zeros",
                expected="a cell whose output depends on its input",
                remedy="take another operation in the place of a zero",
            )
        return genotype

    @override
    def plan(self, architecture: Architecture) -> Plan:
        return _plan(self.genotype(architecture), self.classes, self.encoder, self.agg)

    @override
    def widest(self) -> Iterator[Plan]:
        return widest_plans(self.classes, encoder=self.encoder, channels=self.agg)


@lru_cache(maxsize=4096)
def _plan(genotype: Genotype, classes: int, encoder: str, agg: int) -> Plan:
    return plan(genotype, classes, encoder=encoder, channels=agg)
