"""How the networks of predictors are trained: AdamW, a one-cycle rate, clipped gradients, averaged weights."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

_logger = logging.getLogger(__name__)
_LOG_EVERY = 100
"""Steps between two log records of the loss."""


def minimise(
    network: nn.Module,
    loss: Callable[[], Tensor],
    groups: Sequence[dict[str, Any]],
    *,
    steps: int,
    rate: float,
    decay: Callable[[int], float] = lambda _: 0.0,
    on_step: Callable[[int], None] = lambda _: None,
) -> None:
    """Trains in place; afterwards the network is in evaluation mode and holds the moving average of its weights.

    Args:
        network: to be trained.
        loss: of the next batch.
        groups: of parameters, each with its ``weight_decay`` (Loshchilov & Hutter 2019).
        steps: of the optimiser.
        rate: largest learning rate of the cycle (Smith & Topin 2018).
        decay: of the exponential moving average, by step; steps count from one. 0 keeps the last weights.
        on_step: called after each step with its number.
    """
    network.train()
    optimiser = torch.optim.AdamW(list(groups), lr=rate, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps + 1, pct_start=0.1)
    parameters = list(network.parameters())
    weights = [parameter.detach() for parameter in parameters]
    averaged = [weight.clone() for weight in weights]
    for step in range(1, steps + 1):
        value = loss()
        optimiser.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        torch._foreach_lerp_(averaged, weights, 1 - decay(step))
        if step % _LOG_EVERY == 0 and _logger.isEnabledFor(logging.DEBUG):
            _logger.debug("%s: step %d of %d, loss %.5f", type(network).__name__, step, steps, float(value.detach()))
        on_step(step)
    for mean, weight in zip(averaged, weights, strict=True):
        weight.copy_(mean)
    network.eval()
