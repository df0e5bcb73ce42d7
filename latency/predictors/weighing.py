"""Weights of predictors by their errors on nets held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
_FLOOR = 0.003
"""Errors far below this count as equal: it is about the noise of a measurement."""
_SHARPNESS = 0.25
"""Exponent of the weights for each net of which the error is the mean."""
_MAX_ERROR = 1.0
"""Larger errors count as this, so that one outlier does not decide the weights."""
_STEPS = 300
_RATE = 0.05
_DECAY = 1e-3
"""Penalty of biases: keeps those of predictors finite that no task has a use for."""
_MIN_SPREAD = 1e-3
"""Of nets that are all equally fast."""


@dataclass(frozen=True)
class WeighingTask:
    """Predictions of a device whose truth is known, by predictor."""

    errors: Mapping[str, float]
    """``mean_error`` on the nets held out."""
    count: int
    """Of these nets."""
    logs: Mapping[str, Vector]
    """Logarithms of predicted / measured latency, of other nets."""
    spread: float
    """Mean deviation of the logarithms of these nets' measured latencies from their median."""


@dataclass(frozen=True)
class Weighing:
    """``exp(bias) (error + .003)^(-n / 4)``, adding up to one: with many nets the best one decides.

    With few nets the errors are noisy: how good a predictor tends to be, its bias, can be learned on other devices.
    """

    bias: Mapping[str, float] = field(default_factory=dict)
    """By predictor; 0, their mean, where it is not known."""

    def weights(self, errors: Mapping[str, float], count: int) -> dict[str, float]:
        """By predictor; ``errors`` are means over ``count`` nets."""
        logs = np.array(
            [self.bias.get(name, 0.0) - _SHARPNESS * count * np.log(error + _FLOOR) for name, error in errors.items()]
        )
        weights = np.exp(logs - logs.max())
        return dict(zip(errors, (weights / weights.sum()).tolist(), strict=True))

    @staticmethod
    def learn(tasks: Sequence[WeighingTask]) -> Weighing:
        """Minimises the mean error of the weighed predictors over the spread of what they predict.

        So devices count alike, whose nets differ by little or by much. The mean logarithm of the error is worse on
        families of devices left out: it cares for what is nearly right already.
        """
        import torch

        names = list(tasks[0].errors)
        errors = torch.tensor([[task.errors[name] for name in names] for task in tasks], dtype=torch.float64)
        counts = torch.tensor([task.count for task in tasks])
        evidence = -_SHARPNESS * counts[:, None] * (errors + _FLOOR).log()
        logs = torch.from_numpy(np.stack([np.stack([task.logs[name] for name in names]) for task in tasks]))
        spread = torch.tensor([task.spread for task in tasks], dtype=torch.float64).clamp_min(_MIN_SPREAD)
        bias = torch.zeros(len(names), dtype=torch.float64, requires_grad=True)
        optimiser = torch.optim.Adam([bias], lr=_RATE)
        for _ in range(_STEPS):
            share = torch.softmax(bias + evidence, dim=1)
            error = (share[..., None] * logs).sum(dim=1).abs().mean(dim=1)
            loss = (error / spread).mean() + _DECAY * (bias**2).sum()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        values = (bias - bias.mean()).tolist()
        return Weighing(dict(zip(names, values, strict=True)))


def error_weights(ratios: Mapping[str, Vector]) -> dict[str, float]:
    """``Weighing`` without biases.

    Args:
        ratios: measured / held-out prediction of the same nets, by predictor.
    """
    errors = {name: mean_error(ratio) for name, ratio in ratios.items()}
    return Weighing().weights(errors, len(next(iter(ratios.values()))))


def mean_error(ratio: Vector) -> float:
    """Mean of ``|predicted / measured - 1|``, each at most 1, of ratios measured / predicted."""
    return float(np.mean(np.minimum(np.abs(1 / ratio - 1), _MAX_ERROR)))
