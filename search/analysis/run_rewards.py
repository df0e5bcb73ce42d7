"""What the strategies of a run maximised, where that is not the quality alone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from foundation.errors import UserError
from foundation.plugin_options import PluginOptions
from search.analysis.search_log import Vector
from search.rewards import Limits, Reward, RewardOptions
from search.run_config import RunConfig
from search.strategies.registry import STRATEGIES
from search.trial import Trial


def run_rewards(config: RunConfig, trials: Sequence[Trial], proposers: Sequence[str]) -> Vector | None:
    """The reward of each trial by the strategy that proposed it; None where every strategy maximises the quality.

    Costs are the latency bounds of the trials as the log shows them. The quality stands for the reward of a strategy
    that has none, of a plug-in that is not installed, and of trials that another run proposed.

    Args:
        config: of the run.
        trials: of the run, at least one.
        proposers: ``n``: text of the strategy that proposed each trial.
    """
    limits = Limits(config.max_parameters, {target.device: target.maximum_ms for target in config.targets})
    options = {text: found for text in set(proposers) if (found := _options(text, limits))}
    if not options:
        return None
    rewards = {text: Reward.of_run(trials, limits, each) for text, each in options.items()}
    pairs = zip(proposers, trials, strict=True)
    return np.array([rewards[text].of(trial) if text in rewards else trial.quality for text, trial in pairs])


def _options(text: str, limits: Limits) -> RewardOptions | None:
    """Of a strategy whose reward is not the quality."""
    with suppress(UserError):
        strategy, given = STRATEGIES.parse(text)
        kind: type[PluginOptions] = getattr(strategy, "Options", PluginOptions)
        options = kind(**given)
        if isinstance(options, RewardOptions) and options.counts(limits):
            return options
    return None
