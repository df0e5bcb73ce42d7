"""Gaussian processes that are linear in the features of a net, as a layer of a network.

Each base has its own scales for the groups of features, and its own noise, learned with the network around it
(Rasmussen & Williams 2006, chapter 2). Latencies are divided by the mean of the samples; the prior mean is 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from latency.predictors.transfer.noise import noise_shape

_NOISES = (0.03, 0.15)
"""Standard deviations of the noise before training, relative to the latency."""
_START_SCALE = 0.9
"""Initial scale of the main group of a base."""
_OTHER_SCALE = 0.1
_LEVEL_VARIANCE = 0.1
_DIRECTIONS = 3
_MIN_NOISE = 0.01


class LinearBases(nn.Module):
    """One base for each main group of features and each noise."""

    def __init__(self, groups: int, features: int) -> None:
        super().__init__()
        self.count = groups * len(_NOISES)
        main = torch.eye(groups).repeat(len(_NOISES), 1)
        self.log_scale = nn.Parameter((main * _START_SCALE + (1 - main) * _OTHER_SCALE).log())
        self.log_noise = nn.Parameter(torch.tensor(_NOISES).repeat_interleave(groups).log())
        self.mean = nn.Parameter(torch.zeros(self.count, groups * features))
        self.directions = nn.Parameter(0.1 * torch.randn(self.count, _DIRECTIONS, groups * features))

    def forward(self, samples: Tensor, y: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Leave-one-out predictions of the samples, and predictions of the queries.

        Args:
            samples: devices x samples x groups x features
            y: devices x samples
            queries: devices x nets x groups x features

        Returns:
            devices x samples x bases and devices x nets x bases.
        """
        samples, queries, y = samples.double(), queries.double(), y.double()
        middle = samples.mean(dim=1, keepdim=True)
        inner, expected = self._kernel(samples, samples), self._expected(samples, middle)
        noise = self.log_noise.double().exp()[:, None] + _MIN_NOISE
        variance = noise**2 * noise_shape(y[:, None, :])
        precision = torch.linalg.inv(inner + torch.diag_embed(variance))
        solved = (precision @ (y[:, None] - expected)[..., None]).squeeze(-1)
        left_out = y[:, None, :] - solved / precision.diagonal(dim1=-2, dim2=-1)
        predicted = self._expected(queries, middle) + (self._kernel(queries, samples) @ solved[..., None]).squeeze(-1)
        return left_out.transpose(1, 2).float(), predicted.transpose(1, 2).float()

    def _expected(self, nets: Tensor, middle: Tensor) -> Tensor:
        """devices x bases x nets: prior mean."""
        result: Tensor = 1 + ((nets - middle).flatten(2) @ self.mean.double().T).transpose(1, 2)
        return result

    def _kernel(self, first: Tensor, second: Tensor) -> Tensor:
        """devices x bases x nets of the first x nets of the second"""
        scale, along = (2 * self.log_scale.double()).exp(), self.directions.double()
        each = torch.einsum("dngf,dmgf,bg->dbnm", first, second, scale)
        sides = [torch.einsum("dnf,brf->dbnr", nets.flatten(2), along) for nets in (first, second)]
        return _LEVEL_VARIANCE + each + sides[0] @ sides[1].transpose(2, 3)
