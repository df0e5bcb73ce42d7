"""The options of strategies that train gates."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from foundation.plugin_options import PluginOptions

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class GateOptions(PluginOptions):
    """How gates and shared weights are trained, and how many trials a generation has."""

    warmup: Annotated[int, Field(ge=0)] = 50
    """Updates of the weights before the first one of the gates."""
    paths: Annotated[int, Field(ge=2)] = 4
    """Nets that are compared in an update of the gates."""
    cost_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.2
    """Price of latency and parameters above a budget: twice the budget costs this times log 2, in units of the loss."""
    gate_rate: Rate = 0.05
    """Learning rate of the gates."""
    weight_rate: Rate = 3e-3
    """Highest learning rate of the shared weights."""
    generation_size: Count = 24
    """Trials between two measurements of winners."""
