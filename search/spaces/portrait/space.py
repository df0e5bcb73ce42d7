"""The ``portrait`` space: sampling and moves over the slots of ``segmentation/portrait/slots.py``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING

from typing_extensions import override

from foundation.errors import UserError
from foundation.plugin_options import PluginOptions
from search.architecture import Architecture
from search.spaces.plan_space import PlanSpace
from search.spaces.portrait.cost import cheaper_tokens, cost_ranks
from search.spaces.portrait.count import number_of_architectures
from search.spaces.portrait.trained_nets import trained_nets
from search.spaces.sizes import Sizes, allowed_sizes
from search.spaces.space import Slot
from search.spaces.trained_nets import TrainedNets
from segmentation.networks.plan import Plan
from segmentation.portrait import plan as portrait
from segmentation.portrait.slots import (
    BLOCK_SLOTS,
    CHOICES,
    LABELS,
    MAX_DEPTH,
    SIZES,
    SLOT_NAMES,
    SLOTS,
    SPACE,
    STAGES,
    UPSAMPLINGS,
    canonical,
    check,
    dilates,
)
from segmentation.portrait.upsampling import WITHOUT_RESIZE
from segmentation.portrait.widest import widest_plans

if TYPE_CHECKING:
    from segmentation.pretrained.weights import Name

MAX_TOTAL_DEPTH = MAX_DEPTH * len(STAGES)
_MAX_CHANGES = 3
_GROUPS = tuple(dict.fromkeys(name.split(".")[0] for name in SLOT_NAMES))


class PortraitSpace(PlanSpace):
    """Mobile encoder-decoders for portraits (``segmentation/portrait/plan.py``).

    Args:
        classes: channels of the logits.
        sizes: allowed input sizes (height, width); all of ``segmentation.portrait.slots.SIZES`` by default.
        no_resize: only nets without a resize operator, which some NPUs compute on the CPU, or wrongly.

    Raises:
        UserError: a size that the space does not have.
    """

    name = SPACE
    version = 2

    class Options(PluginOptions):
        """Options of the space."""

        sizes: Sizes | None = None
        no_resize: bool = False
        """Only nets without a resize operator."""

    def __init__(
        self, classes: int = 2, *, sizes: Sequence[tuple[int, int]] | None = None, no_resize: bool = False
    ) -> None:
        super().__init__(classes)
        self._allowed: dict[str, tuple[int, ...]] = {
            "size": allowed_sizes(sizes, SIZES),
            "upsampling": tuple(
                index for index, name in enumerate(UPSAMPLINGS) if not no_resize or name in WITHOUT_RESIZE
            ),
        }

    @property
    @override
    def shipped_weights(self) -> Name | None:
        return "portrait-supernet"

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """Allowed input sizes, by area."""
        return tuple(SIZES[index] for index in self._allowed["size"])

    @property
    @override
    def slots(self) -> tuple[Slot, ...]:
        return tuple(
            Slot(slot.name, len(slot.labels), slot.name in _ORDERED, slot.labels, slot.labels[0] in _NOTHING)
            for slot in SLOTS
        )

    @override
    def size(self) -> int:
        return number_of_architectures(self.sizes, upsamplings=len(self._allowed["upsampling"]))

    @override
    def sample(self, count: int, rng: Random) -> list[Architecture]:
        depths = list(range(MAX_TOTAL_DEPTH + 1))
        rng.shuffle(depths)
        # Total depth takes every value equally often; everything else is uniform.
        return [self._sampled(depths[position % len(depths)], rng) for position in range(count)]

    def _sampled(self, total_depth: int, rng: Random) -> Architecture:
        choices = {name: self._random_choice(name, rng) for name in SLOT_NAMES}
        depth_by_stage = dict.fromkeys(STAGES, 0)
        for _ in range(total_depth):
            depth_by_stage[rng.choice([stage for stage in STAGES if depth_by_stage[stage] < MAX_DEPTH])] += 1
        choices.update({f"stage{stage}.depth": depth for stage, depth in depth_by_stage.items()})
        return portrait_architecture(choices)

    def _random_choice(self, name: str, rng: Random) -> int:
        return rng.choice(self._allowed.get(name, range(CHOICES[name])))

    @override
    def nearest(self, choices: Mapping[str, int]) -> Architecture:
        allowed = {
            name: min(allowed, key=lambda other: abs(other - choices[name])) for name, allowed in self._allowed.items()
        }
        return portrait_architecture({**choices, **allowed})

    @override
    def mutate(self, architecture: Architecture, rng: Random) -> Architecture:
        # One to three slots are sampled again; the slots of a block or stage that this adds get random values.
        mutant = architecture
        while mutant == architecture:
            choices = self._with_random_unused_slots(dict(architecture.choices), rng)
            for name in rng.sample(SLOT_NAMES, rng.randint(1, _MAX_CHANGES)):
                choices[name] = self._random_choice(name, rng)
            mutant = portrait_architecture(choices)
        return mutant

    def _with_random_unused_slots(self, choices: dict[str, int], rng: Random) -> dict[str, int]:
        """The same net with random values in the slots that have no effect, in case a mutation gives them one."""
        for stage in STAGES:
            depth = choices[f"stage{stage}.depth"]
            unused = [name for block in range(depth + 1, MAX_DEPTH + 1) for name in BLOCK_SLOTS[stage, block]]
            unused += [f"stage{stage}.{part}" for part in ("width", "stride") if not depth]
            unused += [] if dilates(choices, stage) else [f"stage{stage}.dilation"]
            choices.update({name: self._random_choice(name, rng) for name in unused})
        return choices

    @override
    def crossover(self, first: Architecture, second: Architecture, rng: Random) -> Architecture:
        # Each group of slots (a stage, the skips, the decoder) comes as a whole from one parent.
        parents = (dict(first.choices), dict(second.choices))
        parent_of = {group: rng.choice(parents) for group in _GROUPS}
        return portrait_architecture({name: parent_of[name.split(".")[0]][name] for name in SLOT_NAMES})

    @override
    def smaller(self, architecture: Architecture) -> list[Architecture]:
        return list(dict.fromkeys(self._smaller(architecture, self._moves(architecture))))

    @override
    def some_smaller(self, architecture: Architecture, count: int, rng: Random) -> list[Architecture]:
        moves = self._moves(architecture)
        rng.shuffle(moves)
        found: dict[Architecture, None] = {}
        for other in self._smaller(architecture, moves):
            found[other] = None
            if len(found) >= count:
                break
        return list(found)

    def _smaller(self, architecture: Architecture, moves: Iterable[tuple[str, int]]) -> Iterator[Architecture]:
        """The nets after each move, the same one perhaps several times.

        Every move lowers the sum of ``cost_ranks``, so that any chain of moves ends, at a net without blocks.
        """
        choices = dict(architecture.choices)
        rank = sum(cost_ranks(choices).values())
        for name, cheaper in moves:
            other = portrait_architecture({**choices, name: cheaper})
            if sum(cost_ranks(dict(other.choices)).values()) < rank:
                yield other

    def _moves(self, architecture: Architecture) -> list[tuple[str, int]]:
        """Slots and their cheaper choices."""
        choices = dict(architecture.choices)
        return [
            (name, cheaper)
            for name, choice in choices.items()
            for cheaper in self._cheaper_choices(name, choice, choices)
        ]

    def _cheaper_choices(self, name: str, choice: int, choices: Mapping[str, int]) -> Iterable[int]:
        if name in self._allowed:
            return [allowed for allowed in self._allowed[name] if allowed < choice][-1:]
        if name.endswith(".stride"):
            return [1] if choice == 0 and choices[name.replace("stride", "depth")] else []
        if name in _BLOCK_TOKENS:
            return cheaper_tokens(choice)
        return [choice - 1] if choice else []

    @override
    def smallest(self) -> list[Architecture]:
        # The narrowest layers and none to four single-block stages, which only reduce the resolution.
        return [
            portrait_architecture(
                dict.fromkeys(SLOT_NAMES, 0)
                | {"size": self._allowed["size"][0], "upsampling": upsampling}
                | {f"stage{stage}.{part}": 1 for stage in STAGES[:strided] for part in ("depth", "stride")}
            )
            for strided in range(len(STAGES))
            for upsampling in self._allowed["upsampling"]
        ]

    @override
    def validate(self, architecture: Architecture) -> None:
        if architecture.space != SPACE:
            raise UserError(
                "architecture",
                seen=f"the space {architecture.space!r}",
                expected=f"the space {SPACE!r}",
                remedy="take another space or another architecture",
            )
        check(dict(architecture.choices))
        for name, allowed in self._allowed.items():
            if architecture[name] not in allowed:
                raise UserError(
                    "architecture",
                    seen=f"{name} {LABELS[name][architecture[name]]}",
                    expected=", ".join(LABELS[name][choice] for choice in allowed),
                    remedy="change the options of the space, or take another architecture",
                )

    @override
    def trained_nets(self) -> TrainedNets | None:
        return trained_nets()

    @override
    def plan(self, architecture: Architecture) -> Plan:
        return _plan(architecture, self.classes)

    @override
    def input_size(self, architecture: Architecture) -> tuple[int, int]:
        return portrait.input_size(dict(architecture.choices))

    @override
    def widest(self) -> Iterator[Plan]:
        return widest_plans(self.classes)


def portrait_architecture(choices: Mapping[str, int]) -> Architecture:
    """The architecture of these choices, in canonical form."""
    return Architecture(SPACE, tuple(canonical(choices).items()))


_UNORDERED = ("activation", "context", "fusion", "kind", "upsampling")
_ORDERED = frozenset(
    name for name in SLOT_NAMES if name.split(".")[-1] not in _UNORDERED and not name.startswith("skip.")
)
_NOTHING = ("0", "off", "none")
"""Labels of a first choice that leaves something out."""
_BLOCK_TOKENS = frozenset(names[0] for names in BLOCK_SLOTS.values())


@lru_cache(maxsize=4096)
def _plan(architecture: Architecture, classes: int) -> Plan:
    return portrait.plan(dict(architecture.choices), classes)
