"""What the strategies that learn from a reward maximise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Annotated, Self

from pydantic import Field

from foundation.plugin_options import PluginOptions
from search.constraints.budgets import Budgets
from search.trial import Trial

Exponent = Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)]

_LEAST_RATIO = 1e-4
"""Of cost to target, so that a net that costs nothing earns a finite reward."""


class RewardOptions(PluginOptions):
    """How much costs below the budgets are worth; with exponents of 0 the reward is the quality."""

    latency: Exponent = 0.0
    """Exponent of the upper bound over its budget, on the device where that is worst."""
    parameters: Exponent = 0.0
    """Exponent of the parameters over their budget."""
    flops: Exponent = 0.0
    """Exponent of the FLOPs over the largest of the first generation, since there is no budget of FLOPs."""
    useful: Annotated[float, Field(ge=0, le=1)] | None = None
    """Quality above which a net earns a bonus for low costs; None for the median of the first generation."""

    def counts(self, limits: Limits) -> bool:
        """Whether the reward is more than the quality, within these limits."""
        latency = self.latency if limits.latency_ms else 0
        parameters = 0 if limits.parameters is None else self.parameters
        return max(latency, parameters, self.flops) > 0


@dataclass(frozen=True, slots=True)
class Limits:
    """Hard limits as numbers."""

    parameters: int | None
    latency_ms: Mapping[str, float]
    """By device."""

    @classmethod
    def of(cls, budgets: Budgets) -> Self:
        """Those of a search."""
        parameters = None if budgets.parameters is None else budgets.parameters.maximum
        return cls(parameters, {budget.device: budget.maximum_ms for budget in budgets.latencies})


@dataclass(frozen=True, slots=True)
class Reward:
    """``quality * prod_i (cost_i / target_i) ** -beta_i`` over latency, parameters and FLOPs.

    The weighted product of Tan et al., "MnasNet: Platform-Aware Neural Architecture Search for Mobile", CVPR 2019,
    equation 2, which pays a bonus below the target, too. A cost without a target is left out. Guard: unless the quality
    is above ``useful``, the product counts as 1 at most; else a tiny net of useless quality would earn most.
    """

    limits: Limits
    """The targets."""
    options: RewardOptions
    useful: float
    """Quality above which low costs earn a bonus."""
    flops_target: int

    @classmethod
    def of_run(cls, trials: Sequence[Trial], budgets: Budgets | Limits, options: RewardOptions) -> Self:
        """The reward of a run; what the budgets leave open follows from its first generation.

        Args:
            trials: of the run, at least one.
            budgets: the targets.
            options: the exponents.
        """
        first = min(trial.generation for trial in trials)
        generation = [trial for trial in trials if trial.generation == first]
        useful = median(trial.quality for trial in generation) if options.useful is None else options.useful
        limits = budgets if isinstance(budgets, Limits) else Limits.of(budgets)
        return cls(limits, options, useful, max(trial.flops for trial in generation))

    def of(self, trial: Trial) -> float:
        """The trial's reward; not negative."""
        factor = 1.0
        for exponent, ratio in self._costs(trial):
            factor *= max(ratio, _LEAST_RATIO) ** -exponent
        return trial.quality * (factor if trial.quality > self.useful else min(factor, 1.0))

    def _costs(self, trial: Trial) -> list[tuple[float, float]]:
        """Exponent, and cost over target."""
        costs = [(self.options.flops, trial.flops / max(1, self.flops_target))]
        if self.limits.latency_ms:
            bounds = [(trial.upper_ms[device], maximum) for device, maximum in self.limits.latency_ms.items()]
            ratios = [ms / maximum if ms > 0 else math.inf for ms, maximum in bounds]
            costs.append((self.options.latency, max(ratios)))
        if self.limits.parameters is not None:
            costs.append((self.options.parameters, trial.parameters / self.limits.parameters))
        return costs
