"""What strategies with a controller share: learning from each generation in turn, and proposing what it samples."""

from __future__ import annotations

from abc import abstractmethod
from random import Random
from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from typing_extensions import override

from search.architecture import Architecture
from search.constraints.budgets import Budgets
from search.rewards import Reward, RewardOptions
from search.spaces.space import SearchSpace
from search.strategies.effective_slots import effective_slots
from search.strategies.strategy import Strategy

if TYPE_CHECKING:
    from search.strategies.policy import Lesson, Policy

Generation = tuple[tuple[Architecture, float], ...]
"""The trials of a generation with their rewards."""

_ROUNDS = 4
"""Of sampling, before fewer architectures are proposed than are wanted."""


class PolicyGradient(Strategy):
    """Proposes what a controller samples, and changes the controller after each generation so that rewards go up.

    The controller follows from the seed and from all trials, generation by generation: it learns from new generations
    alone, and from all of them again where an earlier reward changed. It learns from what was evaluated,
    that is after a repair, under the controller before that generation; slots without effect there count for nothing.

    Args:
        space: to search in.
        budgets: that the result must keep.
        seed: of everything random.
        **options: as in ``Options``.
    """

    class Options(RewardOptions):
        """Options of the strategy."""

        learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.02
        """Of Adam."""
        entropy: Annotated[float, Field(ge=0, le=10)] = 0.05
        """Weight of the entropy bonus, which keeps choices from becoming certain too early."""
        generation_size: Annotated[int, Field(ge=1)] = 10

    options: Options

    def __init__(self, space: SearchSpace, budgets: Budgets, *, seed: int = 0, **options: float) -> None:
        super().__init__(space, budgets, seed=seed)
        self.options = self.Options.model_validate(options)
        self.generation_size = self.options.generation_size
        self._policy: Policy | None = None
        self._learned: list[Generation] = []
        self._effective: dict[Architecture, tuple[bool, ...]] = {}

    @abstractmethod
    def _learn(self, policy: Policy, lesson: Lesson) -> None:
        """Changes the policy's controller."""

    @override
    def _propose(self, count: int, rng: Random) -> list[Architecture]:
        from segmentation.training.threads import torch_threads

        # Sums in another order, as with more threads, would lead a resumed search elsewhere.
        with torch_threads(1):
            policy, known = self._trained(), self._trials.keys() | self._proposed
            found: dict[Architecture, None] = {}
            for _ in range(_ROUNDS):
                if len(found) < count:
                    sampled = map(self.space.nearest, policy.sample(2 * count, rng.getrandbits(63)))
                    found.update((each, None) for each in sampled if each not in known)
        return list(found)

    def _trained(self) -> Policy:
        from search.strategies.policy import Policy

        generations = self._generations()
        if self._policy is None or generations[: len(self._learned)] != self._learned:
            self._policy = Policy(self.space.slots, seed=self.seed, learning_rate=self.options.learning_rate)
            self._learned = []
        for generation in generations[len(self._learned) :]:
            self._learn(self._policy, self._policy.lesson(generation, [self._effective_in(a) for a, _ in generation]))
        self._learned = generations
        return self._policy

    def _generations(self) -> list[Generation]:
        """All trials in the order in which they were proposed."""
        if not self._trials:
            return []
        reward = Reward.of_run(list(self._trials.values()), self.budgets, self.options)
        found: dict[int, list[tuple[Architecture, float]]] = {}
        for trial in self._trials.values():
            found.setdefault(trial.generation, []).append((trial.architecture, reward.of(trial)))
        return [tuple(found[number]) for number in sorted(found)]

    def _effective_in(self, architecture: Architecture) -> tuple[bool, ...]:
        if architecture not in self._effective:
            self._effective[architecture] = effective_slots(self.space, architecture)
        return self._effective[architecture]
