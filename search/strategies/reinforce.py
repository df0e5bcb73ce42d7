"""REINFORCE: the controller's choices become more likely in proportion to their advantage.

Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement learning", Machine Learning
8, 1992; for architectures Zoph and Le, "Neural Architecture Search with Reinforcement Learning", ICLR 2017.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from search.strategies.policy_gradient import PolicyGradient

if TYPE_CHECKING:
    from search.strategies.policy import Lesson, Policy


class Reinforce(PolicyGradient):
    """One step along the gradient of ``advantage * log p(architecture) + entropy`` for each generation."""

    name = "reinforce"

    @override
    def _learn(self, policy: Policy, lesson: Lesson) -> None:
        log_probability, entropy = policy.log_probability(lesson)
        gained = lesson.advantages * log_probability
        policy.ascend((gained + self.options.entropy * entropy).sum(dim=1).mean())
