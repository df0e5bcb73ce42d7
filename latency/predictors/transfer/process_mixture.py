"""A mixture of Gaussian processes that are linear in groups of features, learned over many devices.

``y`` is the target of a view (``views.py``), around 1 over the samples. Each component is a Gaussian process with mean
1, kernel ``sum_g scale_g^2 phi_g phi_g^T`` and noise ``noise^2 (1/4 + 3/4 y^2)``; the components are weighed by their
evidence on the samples. Scales and noises are learned on the source devices, so that the answer on a new device is
closed form (Rasmussen & Williams 2006, chapters 2 and 5).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latency.predictors.transfer.noise import noise_shape

Matrix = NDArray[np.float64]

_COMPONENTS = 5
STEPS = 400
_RATE = 0.03
_TASKS = 32
"""In a step; all have the same numbers of samples and queries."""
_JITTER = 1e-6


@dataclass(frozen=True)
class Task:
    """Samples of one device and queries, by the products of their features: scales of groups only weigh these."""

    inner: Matrix
    """groups x samples x samples"""
    cross: Matrix
    """groups x queries x samples"""
    own: Matrix
    """groups x queries: each one's product with itself."""
    target: Matrix
    query_target: Matrix

    @staticmethod
    def of(
        samples: Matrix, queries: Matrix, group: NDArray[np.int64], groups: int, target: Matrix, query_target: Matrix
    ) -> Task:
        """From features (nets x columns), the group of each column, the number of groups, and the targets."""
        parts = [(samples[:, group == number], queries[:, group == number]) for number in range(groups)]
        return Task(
            np.stack([known @ known.T for known, _ in parts]),
            np.stack([asked @ known.T for known, asked in parts]),
            np.stack([(asked**2).sum(axis=1) for _, asked in parts]),
            target,
            query_target,
        )


@dataclass(frozen=True)
class ProcessMixture:
    """Scales and noises that were learned on the source devices."""

    log_scale: Matrix
    """components x groups"""
    log_noise: Matrix
    """components"""

    @staticmethod
    def learn(tasks: Sequence[Task], *, seed: int = 0, steps: int = STEPS) -> ProcessMixture:
        """Maximises the likelihood of the queries given the samples, by Adam."""
        generator = torch.Generator().manual_seed(seed)
        scale = torch.randn(_COMPONENTS, len(tasks[0].own), generator=generator, dtype=torch.float64) * 0.7 - 1.5
        noise = torch.linspace(-4.0, -1.5, _COMPONENTS, dtype=torch.float64)
        scale.requires_grad_()
        noise.requires_grad_()
        optimiser = torch.optim.Adam([scale, noise], lr=_RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        batches = _batches(tasks, np.random.default_rng(seed))
        for _ in range(steps):
            loss = _loss(next(batches), scale, noise)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
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
    y: Tensor

    @staticmethod
    def of(
        features: Matrix, target: Matrix, group: NDArray[np.int64], log_scale: Tensor, log_noise: Tensor
    ) -> _Process:
        scale = log_scale.exp()[torch.from_numpy(group)]
        scaled = torch.from_numpy(features) * scale
        y = torch.from_numpy(target)
        noise = log_noise.exp()
        covariance = scaled @ scaled.T + torch.diag(noise**2 * noise_shape(y) + _JITTER)
        factor = torch.linalg.cholesky(covariance)
        solved = torch.cholesky_solve((y - 1)[:, None], factor)[:, 0]
        evidence = -0.5 * (y - 1) @ solved - factor.diagonal().log().sum() - 0.5 * len(y) * math.log(2 * math.pi)
        return _Process(scaled, scale, factor, solved, evidence, y)

    def weights(self) -> Tensor:
        weights: Tensor = self.scale * (self.scaled.T @ self.solved)
        return weights

    def left_out(self) -> Tensor:
        """Leave-one-out means of the samples (Rasmussen & Williams 2006, equation 5.12)."""
        precision = torch.cholesky_inverse(self.factor).diagonal()
        means: Tensor = self.y - self.solved / precision
        return means


@dataclass(frozen=True)
class _Batch:
    """Tasks of equal shapes, stacked."""

    inner: Tensor
    cross: Tensor
    own: Tensor
    target: Tensor
    query_target: Tensor


def _batches(tasks: Sequence[Task], random: np.random.Generator) -> Iterator[_Batch]:
    """Endless; each batch is drawn from the tasks of one shape."""
    alike: dict[tuple[int, ...], list[Task]] = {}
    for task in tasks:
        alike.setdefault(task.cross.shape, []).append(task)
    shapes = list(alike)
    share = np.array([len(alike[shape]) for shape in shapes]) / len(tasks)
    names = [each.name for each in fields(_Batch)]
    while True:
        its = alike[shapes[random.choice(len(shapes), p=share)]]
        chosen = [its[index] for index in random.integers(len(its), size=_TASKS)]
        yield _Batch(*(torch.from_numpy(np.stack([getattr(task, name) for task in chosen])) for name in names))


def _loss(batch: _Batch, log_scale: Tensor, log_noise: Tensor) -> Tensor:
    """Negative log-likelihood of each query by itself, in the mixture; all tensors are tasks x components x ..."""
    square, noise = (2 * log_scale).exp(), (2 * log_noise).exp()[None, :, None]
    y, asked = batch.target[:, None], batch.query_target[:, None]
    covariance = torch.einsum("cg,tgnm->tcnm", square, batch.inner)
    factor = torch.linalg.cholesky(covariance + torch.diag_embed(noise * noise_shape(y) + _JITTER))
    deviation = (y - 1)[..., None].expand(-1, len(log_scale), -1, 1)
    solved = torch.cholesky_solve(deviation, factor)
    evidence = -0.5 * (deviation * solved).sum(dim=(2, 3)) - factor.diagonal(dim1=2, dim2=3).log().sum(dim=2)
    cross = torch.einsum("cg,tgqn->tcqn", square, batch.cross)
    explained = torch.linalg.solve_triangular(factor, cross.transpose(2, 3), upper=False)
    variance = torch.einsum("cg,tgq->tcq", square, batch.own) - (explained**2).sum(dim=2) + noise * noise_shape(asked)
    variance = variance.clamp_min(1e-8)
    mean = 1 + (cross @ solved).squeeze(-1)
    each = -0.5 * ((asked - mean) ** 2 / variance + variance.log() + math.log(2 * math.pi))
    return -torch.logsumexp(torch.log_softmax(evidence, dim=1)[..., None] + each, dim=1).mean()
