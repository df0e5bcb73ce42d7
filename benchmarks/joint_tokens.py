"""The space ``portrait`` with one token for kernel, width and depth of a block, for ``slot_encodings.py``.

The space itself has a token of kernel and width for each block, and the depth of each stage in a slot of its own. Here
the token of a block also says whether there is a block: a stage is as deep as the blocks before the first absent one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from typing_extensions import override

from foundation.progress import OnProgress, ignore_progress
from latency.operators.operator import OperatorGraph
from search.architecture import Architecture
from search.constraints.feasible_sampler import FeasibleSampler
from search.evaluators.evaluator import Evaluator
from search.spaces.space import SearchSpace, Slot
from segmentation.portrait.slots import MAX_DEPTH, STAGES

ABSENT = 5
"""Choices of a token that leave the block out, beside 15 that do not: with them uniform choices give depths
of 0 to 4 with frequencies of .25, .19, .14, .11 and .32. Canonical is the first."""
_TOKENS = {stage: [f"stage{stage}.block{block}" for block in range(1, MAX_DEPTH + 1)] for stage in STAGES}
_ALL_TOKENS = {name for names in _TOKENS.values() for name in names}


class JointTokens(SearchSpace):
    """Every architecture stands for one of ``inner``."""

    name = "joint"

    def __init__(self, inner: SearchSpace) -> None:
        super().__init__(inner.classes)
        self.inner = inner

    def plain(self, architecture: Architecture) -> Architecture:
        """The same net in the space ``inner``."""
        return self.inner.nearest(self._separate(dict(architecture.choices)))

    def joint(self, architecture: Architecture) -> Architecture:
        """A net of ``inner`` in this space."""
        choices = dict(architecture.choices)
        for stage, names in _TOKENS.items():
            depth = choices.pop(f"stage{stage}.depth")
            for place, name in enumerate(names):
                choices[name] = ABSENT + choices[name] if place < depth else 0
        return Architecture(self.name, tuple((slot.name, choices[slot.name]) for slot in self.slots))

    @staticmethod
    def _separate(choices: Mapping[str, int]) -> dict[str, int]:
        found = dict(choices)
        for stage, names in _TOKENS.items():
            present = [choices[name] >= ABSENT for name in names]
            found[f"stage{stage}.depth"] = [*present, False].index(False)
            found |= {name: max(choices[name] - ABSENT, 0) for name in names}
        return found

    @property
    @override
    def slots(self) -> tuple[Slot, ...]:
        return tuple(
            replace(slot, choices=ABSENT + slot.choices, labels=()) if slot.name in _ALL_TOKENS else slot
            for slot in self.inner.slots
            if not slot.name.endswith(".depth")
        )

    @override
    def size(self) -> int:
        return self.inner.size()

    @override
    def sample(self, count: int, rng: Random) -> list[Architecture]:
        return list(map(self.joint, self.inner.sample(count, rng)))

    @override
    def nearest(self, choices: Mapping[str, int]) -> Architecture:
        return self.joint(self.inner.nearest(self._separate(choices)))

    @override
    def mutate(self, architecture: Architecture, rng: Random) -> Architecture:
        return self.joint(self.inner.mutate(self.plain(architecture), rng))

    @override
    def crossover(self, first: Architecture, second: Architecture, rng: Random) -> Architecture:
        return self.joint(self.inner.crossover(self.plain(first), self.plain(second), rng))

    @override
    def smaller(self, architecture: Architecture) -> list[Architecture]:
        return list(map(self.joint, self.inner.smaller(self.plain(architecture))))

    @override
    def some_smaller(self, architecture: Architecture, count: int, rng: Random) -> list[Architecture]:
        return list(map(self.joint, self.inner.some_smaller(self.plain(architecture), count, rng)))

    @override
    def smallest(self) -> list[Architecture]:
        return list(map(self.joint, self.inner.smallest()))

    @override
    def validate(self, architecture: Architecture) -> None:
        self.inner.validate(self.plain(architecture))

    @override
    def parameters(self, architecture: Architecture) -> int:
        return self.inner.parameters(self.plain(architecture))

    @override
    def lower(self, architecture: Architecture) -> OperatorGraph:
        return self.inner.lower(self.plain(architecture))

    @override
    def make_task(self, options: Any) -> Any:
        return self.inner.make_task(options)


class JointEvaluator(Evaluator):
    """What an evaluator of ``space.inner`` estimates."""

    name = "joint"

    def __init__(self, space: JointTokens, inner: Evaluator) -> None:
        super().__init__(space, inner.task, folder=inner.folder)
        self._plain, self._inner = space.plain, inner

    @override
    def prepare(self, sampler: FeasibleSampler, on_progress: OnProgress = ignore_progress) -> None:
        pass

    @override
    def quality(self, architectures: Sequence[Architecture]) -> list[float]:
        return self._inner.quality([self._plain(each) for each in architectures])

    @override
    def weights(self, architecture: Architecture) -> None:
        return None
