"""A mixture of Gaussian processes that are linear in groups of features, learned over many devices.

``y`` is the target of a view (``views.py``), around 1 over the samples. Each component is a Gaussian process with mean
1, kernel ``sum_g scale_g^2 phi_g phi_g^T`` and noise ``noise^2 (1/4 + 3/4 y^2)``; the components are weighed by their
evidence on the samples. Scales and noises are learned on the source devices, so that the answer on a new device is
closed form (Rasmussen & Williams 2006, chapters 2 and 5).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Matrix = NDArray[np.float64]

_COMPONENTS = 5
_STEPS = 400
_RATE = 0.03
_TASKS = 4
"""Devices in a step."""
_JITTER = 1e-6


@dataclass(frozen=True)
class Task:
    """Samples of one device and queries; ``features`` are nets x columns, ``group`` is by column."""

    features: Matrix
    target: Matrix
    queries: Matrix
    query_target: Matrix
    group: NDArray[np.int64]


@dataclass(frozen=True)
class ProcessMixture:
    """Scales and noises that were learned on the source devices."""

    log_scale: Matrix
    """components x groups"""
    log_noise: Matrix
    """components"""

    @staticmethod
    def learn(tasks: Sequence[Task], groups: int, *, seed: int = 0, steps: int = _STEPS) -> ProcessMixture:
        """Maximises the likelihood of the queries given the samples, by Adam."""
        generator = torch.Generator().manual_seed(seed)
        scale = torch.randn(_COMPONENTS, groups, generator=generator, dtype=torch.float64) * 0.7 - 1.5
        noise = torch.linspace(-4.0, -1.5, _COMPONENTS, dtype=torch.float64)
        scale.requires_grad_()
        noise.requires_grad_()
        optimiser = torch.optim.Adam([scale, noise], lr=_RATE)
        order = np.random.default_rng(seed)
        for _ in range(steps):
            chosen = [tasks[index] for index in order.integers(len(tasks), size=_TASKS)]
            loss = sum((_loss(task, scale, noise) for task in chosen), torch.zeros((), dtype=torch.float64)) / _TASKS
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        return ProcessMixture(scale.detach().numpy(), noise.detach().numpy())

    def condition(self, features: Matrix, target: Matrix, group: NDArray[np.int64]) -> Conditioned:
        """Conditions the processes on a device's samples."""
        with torch.no_grad():
            parts = [
                _Process.of(features, target, group, *each)
                for each in zip(torch.from_numpy(self.log_scale), torch.from_numpy(self.log_noise), strict=True)
            ]
            share = torch.softmax(torch.stack([part.evidence for part in parts]), dim=0)
            left_out = share @ torch.stack([part.left_out() for part in parts])
            weights = torch.stack([part.weights() for part in parts])
        return Conditioned(weights.numpy(), share.numpy(), left_out.numpy())


@dataclass(frozen=True)
class Conditioned:
    """The processes, conditioned on samples: linear in the features."""

    weights: Matrix
    """components x columns"""
    share: Matrix
    """components"""
    left_out: Matrix
    """samples: leave-one-out predictions."""

    def predict(self, features: Matrix) -> Matrix:
        """nets x columns to targets."""
        result: Matrix = 1.0 + features @ (self.share @ self.weights)
        return result


@dataclass(frozen=True)
class _Process:
    scaled: Tensor
    """samples x columns"""
    scale: Tensor
    """columns"""
    factor: Tensor
    """Cholesky factor of the samples' covariance."""
    solved: Tensor
    """Covariance^-1 (y - 1)"""
    evidence: Tensor
    noise: Tensor
    y: Tensor

    @staticmethod
    def of(
        features: Matrix, target: Matrix, group: NDArray[np.int64], log_scale: Tensor, log_noise: Tensor
    ) -> _Process:
        scale = log_scale.exp()[torch.from_numpy(group)]
        scaled = torch.from_numpy(features) * scale
        y = torch.from_numpy(target)
        noise = log_noise.exp()
        covariance = scaled @ scaled.T + torch.diag(noise**2 * (0.25 + 0.75 * y**2) + _JITTER)
        factor = torch.linalg.cholesky(covariance)
        solved = torch.cholesky_solve((y - 1)[:, None], factor)[:, 0]
        evidence = -0.5 * (y - 1) @ solved - factor.diagonal().log().sum() - 0.5 * len(y) * math.log(2 * math.pi)
        return _Process(scaled, scale, factor, solved, evidence, noise, y)

    def weights(self) -> Tensor:
        weights: Tensor = self.scale * (self.scaled.T @ self.solved)
        return weights

    def left_out(self) -> Tensor:
        """Leave-one-out means of the samples (Rasmussen & Williams 2006, equation 5.12)."""
        precision = torch.cholesky_inverse(self.factor).diagonal()
        means: Tensor = self.y - self.solved / precision
        return means

    def log_likelihood(self, queries: Tensor, y: Tensor) -> Tensor:
        """Of each query by itself."""
        scaled = queries * self.scale
        cross = scaled @ self.scaled.T
        mean = 1 + cross @ self.solved
        explained = torch.linalg.solve_triangular(self.factor, cross.T, upper=False)
        variance = (scaled**2).sum(dim=1) - (explained**2).sum(dim=0) + self.noise**2 * (0.25 + 0.75 * y**2)
        variance = variance.clamp_min(1e-8)
        result: Tensor = -0.5 * ((y - mean) ** 2 / variance + variance.log() + math.log(2 * math.pi))
        return result


def _loss(task: Task, log_scale: Tensor, log_noise: Tensor) -> Tensor:
    parts = [
        _Process.of(task.features, task.target, task.group, *each) for each in zip(log_scale, log_noise, strict=True)
    ]
    share = torch.log_softmax(torch.stack([part.evidence for part in parts]), dim=0)
    queries, y = torch.from_numpy(task.queries), torch.from_numpy(task.query_target)
    each = torch.stack([part.log_likelihood(queries, y) for part in parts])
    return -torch.logsumexp(share[:, None] + each, dim=0).mean()
