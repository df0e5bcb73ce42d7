"""Random genotypes."""

from __future__ import annotations

from random import Random

from search.spaces.auxiliary_cells.choices import CHOICES, OPERATION_NAMES, genotype_of
from segmentation.auxiliary_cells.cell_graph import cell_graph
from segmentation.auxiliary_cells.genotype import Genotype
from segmentation.auxiliary_cells.operations import SKIP, WEIGHTED, ZERO


def random_genotype(depth: int, rng: Random) -> Genotype:
    """A genotype whose cell has ``depth`` operations with weights, all with effect; everything else is uniform."""
    while True:
        choices = {name: rng.randrange(count) for name, count in CHOICES.items()}
        operations = [rng.choice(WEIGHTED) for _ in range(depth)]
        operations += [rng.choice((SKIP, ZERO)) for _ in range(len(OPERATION_NAMES) - depth)]
        rng.shuffle(operations)
        genotype = genotype_of(choices | dict(zip(OPERATION_NAMES, operations, strict=True)))
        graph = cell_graph(genotype.cell)
        if graph.output and len(graph.operations) == depth:
            return genotype
