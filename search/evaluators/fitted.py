"""The regression from a net's features to its quality."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def fitted(features: NDArray[np.float64], qualities: Sequence[float]) -> Any:
    """A Gaussian process on standardised features and qualities; length scale, noise and variance are fitted."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    kernel = ConstantKernel() * RBF(3.0) + WhiteKernel(0.5)
    model = make_pipeline(StandardScaler(), GaussianProcessRegressor(kernel, normalize_y=True))
    with warnings.catch_warnings():
        # Where qualities are noise, or follow one line, a fitted value is at its bound, and may be.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(features, qualities)
