"""What the strategies of a run maximised, where that is not the quality alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np

from foundation.errors import UserError
from foundation.plugin_options import PluginOptions
from search.analysis.search_log import Vector
from search.rewards import Limits, Reward, RewardOptions
from search.run_config import RunConfig
from search.strategies.registry import STRATEGIES
from search.trial import Trial


def run_rewards(config: RunConfig, trials: Sequence[Trial], proposed: Mapping[str, Sequence[bool]]) -> Vector | None:
    """The reward of each trial by the strategy that proposed it; None where every strategy maximises the quality.

    Costs are the latency bounds of the trials as the log shows them. The quality stands for the reward of a strategy
    that has none, and of a plug-in that is not installed.

    Args:
        config: of the run.
        trials: of the run, at least one.
        proposed: by the text of a strategy, which trials it proposed.
    """
    options = {text: found for text in proposed if (found := _options(text))}
    if not options:
        return None
    limits = Limits(config.max_parameters, {target.device: target.maximum_ms for target in config.targets})
    rewards = np.array([trial.quality for trial in trials])
    for text, found in options.items():
        reward = Reward.of_run(trials, limits, found)
        own = np.array([reward.of(trial) for trial in trials])
        rewards = np.where(proposed[text], own, rewards)
    return rewards


def _options(text: str) -> RewardOptions | None:
    """Of a strategy that rewards low costs."""
    with suppress(UserError):
        strategy, given = STRATEGIES.parse(text)
        kind: type[PluginOptions] = getattr(strategy, "Options", PluginOptions)
        options = kind(**given)
        if isinstance(options, RewardOptions) and options.rewards_low_costs:
            return options
    return None
