"""A Gaussian process that is linear in the features of nets, for a device with many measured nets.

Like the components of ``process_mixture.py``, but its scales and its noise are learned from the nets of this device, by
maximising their marginal likelihood (Rasmussen & Williams 2006, section 5.4.1). Where latency is nearly a sum over
operators, no other method learns as much from as few nets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latency.predictors.threads import one_blas_thread, torch_threads
from latency.predictors.transfer.noise import noise_shape

Matrix = NDArray[np.float64]
_NETS = 400
"""From which scales and noise are learned; more take long and change little."""
_STEPS = 100
_RATE = 0.1
_START = -1.5
"""Logarithm of every scale before learning; that of the noise is twice this."""
_JITTER = 1e-6
_ROOM = 1e-6
"""For features that are the same in all nets, up to rounding."""
_MIN = 0.02
"""Smallest prediction, as a share of the mean of the nets that were learned from."""


@dataclass(frozen=True)
class NetProcess:
    """Fitted to one device; linear in the features."""

    weights: Matrix
    """features"""
    level_ms: float
    """Mean of the nets."""
    low: Matrix
    """features: smallest value of the nets."""
    high: Matrix

    @staticmethod
    def fit(net: Matrix, group: NDArray[np.int64], latency_ms: Matrix, *, seed: int) -> tuple[NetProcess, Matrix]:
        """Also returns the leave-one-out predictions of the nets, in milliseconds.

        Args:
            net: nets x features.
            group: features: the number of its group.
            latency_ms: nets.
            seed: of the choice of nets that scales are learned from.
        """
        level_ms = float(latency_ms.mean())
        y = latency_ms / level_ms
        some = np.random.default_rng(seed).permutation(len(y))[:_NETS]
        with torch_threads(1):
            scale, noise = _learned(net[some], group, y[some])
        scaled = net * scale[group]
        with one_blas_thread():
            inverse = np.linalg.inv(scaled @ scaled.T + np.diag(noise**2 * noise_shape(y) + _JITTER))
        solved = inverse @ (y - 1)
        process = NetProcess(scale[group] * (scaled.T @ solved), level_ms, net.min(axis=0), net.max(axis=0))
        return process, level_ms * np.maximum(y - solved / inverse.diagonal(), _MIN)

    def predict(self, net: Matrix) -> Matrix:
        """nets x features to milliseconds."""
        result: Matrix = self.level_ms * np.maximum(1 + net @ self.weights, _MIN)
        return result

    def inside(self, net: Matrix, features: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """nets: whether these features lie within what was learned from, or no farther off than that is wide."""
        low, high, some = self.low[features], self.high[features], net[:, features]
        room = high - low + _ROOM
        return np.asarray(((some >= low - room) & (some <= high + room)).all(axis=1), dtype=np.bool_)


def _learned(net: Matrix, group: NDArray[np.int64], y: Matrix) -> tuple[Matrix, float]:
    """Scales of the groups, and the noise."""
    columns = [net[:, group == number] for number in range(group.max() + 1)]
    products = torch.from_numpy(np.stack([each @ each.T for each in columns]))
    target = torch.from_numpy(y)
    logs = torch.full((len(columns) + 1,), _START, dtype=torch.float64)
    logs[-1] *= 2
    logs.requires_grad_()
    optimiser = torch.optim.Adam([logs], lr=_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, _STEPS)
    for _ in range(_STEPS):
        loss = _loss(products, target, logs)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    values = logs.detach().exp().numpy()
    return values[:-1], float(values[-1])


def _loss(products: Tensor, y: Tensor, logs: Tensor) -> Tensor:
    """Negative logarithm of the marginal likelihood, without its constant."""
    square = (2 * logs).exp()
    noise = square[-1] * noise_shape(y) + _JITTER
    factor = torch.linalg.cholesky(torch.einsum("g,gnm->nm", square[:-1], products) + torch.diag(noise))
    white = torch.linalg.solve_triangular(factor, (y - 1)[:, None], upper=False)
    result: Tensor = 0.5 * (white**2).sum() + factor.diagonal().log().sum()
    return result
