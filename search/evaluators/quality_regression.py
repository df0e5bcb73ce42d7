"""The regression from a net's operator graph to its quality."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latency.operators.operator import OperatorGraph
from search.evaluators.graph_features import feature_matrix, graph_features


class QualityRegression:
    """A Gaussian process on standardised features and qualities; length scale, noise and variance are fitted.

    Args:
        graphs: of the known nets.
        qualities: of each of them, from 0 to 1.
        without: names of features that are left out.
    """

    def __init__(
        self, graphs: Sequence[OperatorGraph], qualities: Sequence[float], *, without: Collection[str] = ()
    ) -> None:
        rows = [graph_features(graph) for graph in graphs]
        self._names = sorted({name for row in rows for name in row} - set(without))
        self._model = _fitted(feature_matrix(rows, self._names), qualities)

    def predict(self, graphs: Sequence[OperatorGraph]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Expected quality of each net, and its standard deviation; at least one net."""
        features = feature_matrix([graph_features(graph) for graph in graphs], self._names)
        mean, deviation = self._model.predict(features, return_std=True)
        return mean, deviation


def shares(qualities: NDArray[np.float64]) -> list[float]:
    """Within 0 and 1, without the last digits, which depend on how many nets are predicted at once."""
    return [round(float(value), 9) for value in np.clip(qualities, 0, 1)]


def _fitted(features: NDArray[np.float64], qualities: Sequence[float]) -> Any:
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
