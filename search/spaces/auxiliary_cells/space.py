"""The ``auxiliary-cells`` space: sampling and moves over genotypes (Nekrasov et al., CVPR 2019)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from random import Random
from typing import Annotated

from pydantic import Field
from typing_extensions import override

from foundation.errors import UserError
from foundation.plugin_options import PluginOptions
from search.architecture import Architecture
from search.spaces.auxiliary_cells.canonical import canonical
from search.spaces.auxiliary_cells.canonical_cell import IDENTITY
from search.spaces.auxiliary_cells.cheaper import cheaper_genotypes
from search.spaces.auxiliary_cells.choices import (
    CHOICES,
    NAMES,
    OPERATION_NAMES,
    SIZES,
    SLOTS,
    check,
    choices_of,
    genotype_of,
    not_a_member,
)
from search.spaces.auxiliary_cells.count import fewest_genotypes
from search.spaces.auxiliary_cells.sampling import random_genotype
from search.spaces.plan_space import PlanSpace
from search.spaces.sizes import Sizes, allowed_sizes
from search.spaces.space import Slot
from segmentation.auxiliary_cells.cell_graph import cell_graph
from segmentation.auxiliary_cells.encoder import ENCODERS
from segmentation.auxiliary_cells.genotype import TAPS, Genotype
from segmentation.auxiliary_cells.plan import CHANNELS, plan
from segmentation.auxiliary_cells.widest import widest_plans
from segmentation.networks.plan import Plan

_MAX_CHANGES = 3
_GROUPS = tuple(dict.fromkeys(name.partition(".")[0] for name in NAMES))


class AuxiliaryCellsSpace(PlanSpace):
    """A fixed encoder and a decoder of searched cells (``segmentation/auxiliary_cells/plan.py``).

    Args:
        classes: channels of the logits.
        sizes: allowed input sizes (height, width); all of ``SIZES`` by default.
        encoder: a name in ``segmentation.auxiliary_cells.encoder.ENCODERS``.
        agg: channels of the decoder.

    Raises:
        UserError: a size or an encoder that the space does not have.
    """

    name = "auxiliary-cells"

    class Options(PluginOptions):
        """Options of the space."""

        sizes: Sizes | None = None
        encoder: str = "full"
        agg: Annotated[int, Field(ge=1)] = CHANNELS

    def __init__(
        self,
        classes: int = 2,
        *,
        sizes: Sequence[tuple[int, int]] | None = None,
        encoder: str = "full",
        agg: int = CHANNELS,
    ) -> None:
        super().__init__(classes)
        if encoder not in ENCODERS:
            raise UserError(
                "encoder", seen=repr(encoder), expected=f"one of {', '.join(ENCODERS)}", remedy="choose one of these"
            )
        self.encoder, self.agg = encoder, agg
        self._sizes = allowed_sizes(sizes, SIZES)

    @property
    @override
    def slots(self) -> tuple[Slot, ...]:
        return SLOTS

    @override
    def size(self) -> int:
        return len(self._sizes) * fewest_genotypes()

    @override
    def sample(self, count: int, rng: Random) -> list[Architecture]:
        depths = list(range(len(OPERATION_NAMES) + 1))
        rng.shuffle(depths)
        # The number of operations with weights takes every value equally often; everything else is uniform.
        return [
            self._architecture(rng.choice(self._sizes), random_genotype(depths[position % len(depths)], rng))
            for position in range(count)
        ]

    def _random_choice(self, name: str, rng: Random) -> int:
        return rng.choice(self._sizes) if name == "size" else rng.randrange(CHOICES[name])

    @override
    def nearest(self, choices: Mapping[str, int]) -> Architecture:
        size = min(self._sizes, key=lambda other: abs(other - choices["size"]))
        return self._architecture(size, genotype_of(choices))

    def _architecture(self, size: int, genotype: Genotype, *, pruned: bool = True) -> Architecture:
        """The canonical architecture; a search needs no operations without effect, those of others stay as they are."""
        return Architecture(self.name, choices_of(size, canonical(genotype, pruned=pruned)))

    def _of_choices(self, choices: Mapping[str, int]) -> Architecture:
        return self._architecture(choices["size"], genotype_of(choices))

    @override
    def mutate(self, architecture: Architecture, rng: Random) -> Architecture:
        mutant = architecture
        while mutant == architecture:
            changed = rng.sample(NAMES, rng.randint(1, _MAX_CHANGES))
            mutant = self._of_choices(
                dict(architecture.choices) | {name: self._random_choice(name, rng) for name in changed}
            )
        return mutant

    @override
    def crossover(self, first: Architecture, second: Architecture, rng: Random) -> Architecture:
        # The size, each entry of the cell and each connection come as a whole from one parent.
        parents = (dict(first.choices), dict(second.choices))
        parent_of = {group: rng.choice(parents) for group in _GROUPS}
        return self._of_choices({name: parent_of[name.partition(".")[0]][name] for name in NAMES})

    @override
    def smaller(self, architecture: Architecture) -> list[Architecture]:
        size = architecture["size"]
        found = [
            Architecture(self.name, choices_of(size, other)) for other in cheaper_genotypes(self.genotype(architecture))
        ]
        sizes = [other for other in self._sizes if other < size]
        return found + [architecture.replaced({"size": other}) for other in sizes[-1:]]

    @override
    def smallest(self) -> list[Architecture]:
        # No operations, and one feature alone: the finest one needs least of the encoder, the coarsest least behind it.
        return [
            self._architecture(self._sizes[0], Genotype(IDENTITY, ((tap, tap), (tap, TAPS), (tap, TAPS + 1))))
            for tap in range(TAPS)
        ]

    @override
    def validate(self, architecture: Architecture) -> None:
        if architecture.space != self.name:
            raise not_a_member(f"the space {architecture.space!r}", f"the space {self.name!r}")
        check(architecture.choices)
        if architecture["size"] not in self._sizes:
            labels = SLOTS[0].labels
            raise not_a_member(
                f"size {labels[architecture['size']]}", ", ".join(labels[choice] for choice in self._sizes)
            )
        genotype = self.genotype(architecture)
        if genotype != canonical(genotype):
            raise not_a_member(f"the genotype {genotype}", f"its canonical form {canonical(genotype)}")

    def genotype(self, architecture: Architecture) -> Genotype:
        """The genotype of an architecture."""
        return genotype_of(dict(architecture.choices))

    @override
    def parse(self, text: str) -> Architecture:
        # A genotype says nothing of the input: it stands for the net at the largest allowed size.
        if not text.lstrip().startswith("["):
            return super().parse(text)
        genotype = Genotype.parse(text)
        if not cell_graph(genotype.cell).output:
            raise UserError(
                "genotype",
                seen=f"{genotype}, whose cell yields zeros",
                expected="a cell whose output depends on its input",
                remedy="take another operation in the place of a zero",
            )
        return self._architecture(self._sizes[-1], genotype, pruned=False)

    @override
    def text(self, architecture: Architecture) -> str:
        return str(self.genotype(architecture))

    @override
    def plan(self, architecture: Architecture) -> Plan:
        return _plan(self.genotype(architecture), self.classes, self.encoder, self.agg)

    @override
    def input_size(self, architecture: Architecture) -> tuple[int, int]:
        return SIZES[architecture["size"]]

    @override
    def widest(self) -> Iterator[Plan]:
        return widest_plans(self.classes, encoder=self.encoder, channels=self.agg)


@lru_cache(maxsize=4096)
def _plan(genotype: Genotype, classes: int, encoder: str, agg: int) -> Plan:
    return plan(genotype, classes, encoder=encoder, channels=agg)
