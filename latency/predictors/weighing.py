"""Weights of predictors by their error on nets that they have not seen."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

_FLOOR = 0.003
"""Error under which predictors count as equally good: about the noise of a measurement."""
_SHARPNESS = 0.25
"""Exponent of the weights for each net that stands behind an error."""


_GREATEST = 1.0
"""A larger error counts as this: one net that a device hardly computes must not decide alone."""


def error_weights(ratios: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """``(error + .003)^(-n / 4)``, adding up to one: with many nets the best one decides, with few they share.

    Args:
        ratios: truth / held-out prediction of the same ``n`` nets, by predictor.
    """
    errors = {name: mean_error(ratio) for name, ratio in ratios.items()}
    exponent = -_SHARPNESS * len(next(iter(ratios.values())))
    logs = np.array([exponent * np.log(error + _FLOOR) for error in errors.values()])
    weights = np.exp(logs - logs.max())
    return dict(zip(errors, (weights / weights.sum()).tolist(), strict=True))


def mean_error(ratio: NDArray[np.float64]) -> float:
    """Mean of |prediction / truth - 1|, each at most 1, of ratios truth / prediction."""
    return float(np.mean(np.minimum(np.abs(1 / ratio - 1), _GREATEST)))
