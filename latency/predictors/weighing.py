"""Weights of predictors by their errors on nets held out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

_FLOOR = 0.003
"""Errors far below this count as equal: it is about the noise of a measurement."""
_SHARPNESS = 0.25
"""Exponent of the weights for each net of which the error is the mean."""
_MAX_ERROR = 1.0
"""Larger errors count as this, so that one outlier does not decide the weights."""


def error_weights(ratios: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """``(error + .003)^(-n / 4)``, adding up to one: with many nets the best one decides, with few they share.

    Args:
        ratios: measured / held-out prediction of the same ``n`` nets, by predictor.
    """
    errors = {name: mean_error(ratio) for name, ratio in ratios.items()}
    exponent = -_SHARPNESS * len(next(iter(ratios.values())))
    logs = np.array([exponent * np.log(error + _FLOOR) for error in errors.values()])
    weights = np.exp(logs - logs.max())
    return dict(zip(errors, (weights / weights.sum()).tolist(), strict=True))


def mean_error(ratio: NDArray[np.float64]) -> float:
    """Mean of ``|predicted / measured - 1|``, each at most 1, of ratios measured / predicted."""
    return float(np.mean(np.minimum(np.abs(1 / ratio - 1), _MAX_ERROR)))
