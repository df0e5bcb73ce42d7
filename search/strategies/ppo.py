"""PPO: several steps on each generation, as long as the probabilities stay near those under which it was proposed.

Schulman et al., "Proximal Policy Optimization Algorithms", arXiv:1707.06347, 2017, equation 7 and the entropy bonus
of equation 9. A choice is an action; there is no value function, the baseline is that of REINFORCE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from typing_extensions import override

from search.strategies.policy_gradient import PolicyGradient

if TYPE_CHECKING:
    from search.strategies.policy import Lesson, Policy


class Ppo(PolicyGradient):
    """``epochs`` steps for each generation on the clipped ratio of new to old probability, slot by slot."""

    name = "ppo"

    class Options(PolicyGradient.Options):
        """Options of the strategy."""

        clip: Annotated[float, Field(gt=0, lt=1)] = 0.2
        """How far the ratio of probabilities counts, from 1."""
        epochs: Annotated[int, Field(ge=1)] = 3
        """Steps for each generation."""

    options: Options

    @override
    def _learn(self, policy: Policy, lesson: Lesson) -> None:
        old = policy.log_probability(lesson)[0].detach()
        for _ in range(self.options.epochs):
            log_probability, entropy = policy.log_probability(lesson)
            ratio = (log_probability - old).exp()
            clipped = ratio.clamp(1 - self.options.clip, 1 + self.options.clip)
            gained = (ratio * lesson.advantages).minimum(clipped * lesson.advantages)
            policy.ascend((gained + self.options.entropy * entropy).sum(dim=1).mean())
