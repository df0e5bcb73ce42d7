"""A controller while it learns: its optimiser, its baseline, its lessons. Importing this module loads torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from search.architecture import Architecture
from search.spaces.space import Slot
from search.strategies.controller import Controller, entropy, log_probability

_DECAY = 0.8
"""Share of the baseline that a generation leaves."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is learned from one generation of ``n`` trials."""

    choices: Tensor
    """``n x slots``, integers."""
    effective: Tensor
    """``n x slots``: 1 where the choice has an effect, else 0."""
    advantages: Tensor
    """``n x slots``: reward above the baseline, over its root mean square; 0 where the choice has no effect."""


class Policy:
    """A controller with Adam, and moving averages of rewards as baselines (Zoph and Le 2017, section 3.2).

    Each slot has a baseline of its own, over the architectures in which it has an effect. With a common one, all
    choices of a slot that has an effect in poor architectures only would seem poor, and those not tried yet good.

    Args:
        slots: of the space.
        seed: of the first weights.
        learning_rate: of Adam.
    """

    def __init__(self, slots: Sequence[Slot], *, seed: int, learning_rate: float) -> None:
        self.slots = [slot.name for slot in slots]
        self.controller = Controller([slot.choices for slot in slots], seed=seed)
        self._optimiser = torch.optim.Adam(self.controller.parameters(), lr=learning_rate)
        self._baseline = torch.full((len(slots),), torch.nan)

    def sample(self, count: int, seed: int) -> list[dict[str, int]]:
        """Choices by slot."""
        rows = self.controller.sample(count, torch.Generator().manual_seed(seed)).tolist()
        return [dict(zip(self.slots, row, strict=True)) for row in rows]

    def lesson(self, generation: Sequence[tuple[Architecture, float]], effective: Sequence[tuple[bool, ...]]) -> Lesson:
        """What a generation teaches; moves the baseline.

        Args:
            generation: architectures with their rewards.
            effective: for each of them, which slots have an effect.
        """
        choices = [[choice for _, choice in architecture.choices] for architecture, _ in generation]
        rewards = torch.tensor([[reward] for _, reward in generation])
        mask = torch.tensor(effective).float()
        return Lesson(torch.tensor(choices), mask, self._advantages(rewards, mask))

    def _advantages(self, rewards: Tensor, effective: Tensor) -> Tensor:
        """From ``n x 1`` and ``n x slots`` to ``n x slots``."""
        count = effective.sum(dim=0)
        mean = (rewards * effective).sum(dim=0) / count.clamp(min=1)
        baseline = torch.where(self._baseline.isnan(), mean, self._baseline)
        self._baseline = torch.where(count > 0, _DECAY * baseline + (1 - _DECAY) * mean, self._baseline)
        above = (rewards - baseline) * effective
        return above / (above.square().sum() / count.sum().clamp(min=1)).sqrt().clamp(min=1e-6)

    def log_probability(self, lesson: Lesson) -> tuple[Tensor, Tensor]:
        """Log-probability and entropy of each slot, ``n x slots``; 0 where the slot has no effect."""
        table = self.controller.log_probabilities(lesson.choices)
        return log_probability(table, lesson.choices) * lesson.effective, entropy(table) * lesson.effective

    def ascend(self, objective: Tensor) -> None:
        """One step of Adam towards a larger objective."""
        self._optimiser.zero_grad()
        (-objective).backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
