"""A space of nets that are published as genotypes: an encoder that is fixed, and a searched decoder."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Annotated, ClassVar, Generic, TypeVar

from pydantic import Field
from typing_extensions import override

from foundation.errors import UserError
from foundation.plugin_options import PluginOptions
from search.architecture import Architecture
from search.spaces.plan_space import PlanSpace
from search.spaces.sizes import SIZES, Sizes, allowed_sizes
from segmentation.auxiliary_cells.encoder import ENCODERS

if TYPE_CHECKING:
    from segmentation.pretrained.weights import Name

G = TypeVar("G")
_MAX_CHANGES = 3


class GenotypeSpace(PlanSpace, Generic[G]):
    """Architectures are an input size (the slot ``size``, a place in ``SIZES``) and the numbers of a genotype.

    A text in brackets is a genotype, and stands for the net at the largest allowed size.

    Args:
        classes: channels of the logits.
        sizes: allowed input sizes (height, width); all of ``SIZES`` by default.
        encoder: a name in ``segmentation.auxiliary_cells.encoder.ENCODERS``.
        agg: channels of the decoder; as published by default.

    Raises:
        UserError: a size or an encoder that the space does not have.
    """

    published_agg: ClassVar[int]
    depths: ClassVar[int]
    """Numbers of what makes a net deep, from 0; ``sample`` draws each equally often."""

    class Options(PluginOptions):
        """Options of the space."""

        sizes: Sizes | None = None
        encoder: str = "full"
        agg: Annotated[int, Field(ge=1)] | None = None

    def __init__(
        self,
        classes: int = 2,
        *,
        sizes: Sequence[tuple[int, int]] | None = None,
        encoder: str = "full",
        agg: int | None = None,
    ) -> None:
        super().__init__(classes)
        if encoder not in ENCODERS:
            raise UserError(
                "encoder", seen=repr(encoder), expected=f"one of {', '.join(ENCODERS)}", remedy="choose one of these"
            )
        self.encoder, self.agg = encoder, self.published_agg if agg is None else agg
        self._sizes = allowed_sizes(sizes, SIZES)

    @property
    @override
    def shipped_weights(self) -> Name | None:
        return "small-encoder" if self.encoder == "small" else None

    @abstractmethod
    def random_genotype(self, depth: int, rng: Random) -> G:
        """A genotype of this depth; everything else is uniform."""

    @abstractmethod
    def fewest_genotypes(self) -> int:
        """How many different nets of one input size there are at least."""

    @abstractmethod
    def genotype_of(self, choices: Mapping[str, int]) -> G:
        """The genotype of one choice for every slot."""

    @abstractmethod
    def choices_of(self, size: int, genotype: G) -> tuple[tuple[str, int], ...]:
        """The choices of an input size and a genotype, in the order of the slots."""

    @abstractmethod
    def canonical(self, genotype: G) -> G:
        """One genotype for all that a search need not tell apart."""

    def canonical_as_given(self, genotype: G) -> G:
        """One genotype for all of equal nets; what only a search leaves out stays."""
        return self.canonical(genotype)

    @abstractmethod
    def parse_genotype(self, text: str) -> G:
        """Reads a published genotype.

        Raises:
            UserError: another form, or no net.
        """

    def genotype(self, architecture: Architecture) -> G:
        """The genotype of an architecture."""
        return self.genotype_of(dict(architecture.choices))

    def of(self, size: int, genotype: G) -> Architecture:
        """The canonical architecture."""
        return Architecture(self.name, self.choices_of(size, self.canonical(genotype)))

    @override
    def size(self) -> int:
        return len(self._sizes) * self.fewest_genotypes()

    @override
    def sample(self, count: int, rng: Random) -> list[Architecture]:
        depths = list(range(self.depths))
        rng.shuffle(depths)
        return [
            self.of(rng.choice(self._sizes), self.random_genotype(depths[position % len(depths)], rng))
            for position in range(count)
        ]

    @override
    def nearest(self, choices: Mapping[str, int]) -> Architecture:
        size = min(self._sizes, key=lambda other: abs(other - choices["size"]))
        return self.of(size, self.genotype_of(choices))

    @override
    def mutate(self, architecture: Architecture, rng: Random) -> Architecture:
        mutant, slots = architecture, {slot.name: slot.choices for slot in self.slots}
        while mutant == architecture:
            choices = dict(architecture.choices)
            for name in rng.sample(tuple(slots), rng.randint(1, _MAX_CHANGES)):
                choices[name] = rng.choice(self._sizes) if name == "size" else rng.randrange(slots[name])
            mutant = self.of(choices["size"], self.genotype_of(choices))
        return mutant

    @override
    def crossover(self, first: Architecture, second: Architecture, rng: Random) -> Architecture:
        # What belongs together comes as a whole from one parent: slots with the same first part of their names.
        parents = (dict(first.choices), dict(second.choices))
        names = [slot.name for slot in self.slots]
        parent_of = {group: rng.choice(parents) for group in dict.fromkeys(name.partition(".")[0] for name in names)}
        choices = {name: parent_of[name.partition(".")[0]][name] for name in names}
        return self.of(choices["size"], self.genotype_of(choices))

    def with_smaller_size(self, architecture: Architecture) -> list[Architecture]:
        """The net at the next smaller allowed size; empty at the smallest."""
        sizes = [other for other in self._sizes if other < architecture["size"]]
        return [architecture.replaced({"size": other}) for other in sizes[-1:]]

    @override
    def validate(self, architecture: Architecture) -> None:
        if architecture.space != self.name:
            raise self._not_a_member(f"the space {architecture.space!r}", f"the space {self.name!r}")
        self._check(architecture.choices)
        if architecture["size"] not in self._sizes:
            labels = self.slots[0].labels
            expected = ", ".join(labels[choice] for choice in self._sizes)
            raise self._not_a_member(f"size {labels[architecture['size']]}", expected)
        genotype = self.genotype(architecture)
        if genotype != self.canonical_as_given(genotype):
            expected = f"its canonical form {self.canonical_as_given(genotype)}"
            raise self._not_a_member(f"the genotype {genotype}", expected)

    def _check(self, choices: Sequence[tuple[str, int]]) -> None:
        """Raises ``UserError`` where the pairs (slot, choice) are not one choice for every slot, in order."""
        slots = {slot.name: slot.choices for slot in self.slots}
        names = tuple(name for name, _ in choices)
        if names != tuple(slots):
            differing = sorted(set(names) ^ set(slots)) or ["slots in another order"]
            seen = f"{len(names)} slots, differing in {', '.join(differing[:3])}"
            raise self._not_a_member(seen, f"the {len(slots)} slots in order")
        for name, choice in choices:
            if not 0 <= choice < slots[name]:
                raise self._not_a_member(f"{name} = {choice}", f"{name} in 0..{slots[name] - 1}")

    def _not_a_member(self, seen: str, expected: str) -> UserError:
        remedy = f"take architectures from `latseg describe --space {self.name} --random 1 --json`"
        return UserError("architecture", seen=seen, expected=expected, remedy=remedy)

    @override
    def parse(self, text: str) -> Architecture:
        # A genotype says nothing of the input: it stands for the net at the largest allowed size.
        if not text.lstrip().startswith("["):
            return super().parse(text)
        genotype = self.canonical_as_given(self.parse_genotype(text))
        return Architecture(self.name, self.choices_of(self._sizes[-1], genotype))

    @override
    def text(self, architecture: Architecture) -> str:
        # A genotype stands for the net at the largest allowed size.
        if architecture["size"] != self._sizes[-1]:
            return super().text(architecture)
        return str(self.genotype(architecture))

    @override
    def input_size(self, architecture: Architecture) -> tuple[int, int]:
        return SIZES[architecture["size"]]
