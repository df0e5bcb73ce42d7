"""Pre-trains the in-context transformer on measured, mixed and synthetic devices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from latency.predictors.optimisation import minimise
from latency.predictors.transfer.in_context_network import InContextNetwork
from latency.predictors.transfer.merged_batch import MergedBatch
from latency.predictors.transfer.synthetic_devices import DeviceSource

Indices = NDArray[np.int64]
SAMPLES = (6, 10, 20)
"""Numbers of samples in the tasks."""
_NOISE = (0.0, 0.05, 0.1, 0.2)
"""Relative noise of the samples' latencies."""
_TRIMMED_SHARE = 0.7
"""Share of the tasks that use only the middle 80 % of a device's latencies."""


@dataclass(frozen=True, slots=True)
class InContextSettings:
    """How the transformer is built and pre-trained."""

    width: int = 48
    heads: int = 4
    layers: int = 2
    steps: int = 2000
    """Of the optimiser; two to three minutes on one thread for a thousand nets."""
    nets: int = 96
    """Nets that are encoded in a step, for all of its devices."""
    devices: int = 8
    """Devices in a step."""
    queries: int = 24
    """Nets of each device to be predicted in a step."""
    rate: float = 2e-3
    weight_decay: float = 0.05
    average: float = 0.99
    """Decay of the exponential moving average of the weights, for each step."""
    beta: float = 0.1
    """Where smooth L1 turns from quadratic to linear."""


@dataclass(frozen=True)
class _Task:
    """Positions among the step's nets, and latencies over the mean of the samples."""

    known: Indices
    queries: Indices
    y: NDArray[np.float64]
    truth: NDArray[np.float64]


def pretrain(
    network: InContextNetwork, nets: MergedBatch, devices: DeviceSource, settings: InContextSettings, *, seed: int
) -> None:
    """Trains in place; afterwards the network holds the averaged weights."""
    random = np.random.default_rng(seed)
    minimise(
        network,
        lambda: _loss(network, nets, devices, settings, random),
        [{"params": list(network.parameters()), "weight_decay": settings.weight_decay}],
        steps=settings.steps,
        rate=settings.rate,
        decay=lambda step: min(settings.average, step / (step + 9)),
    )


def _loss(
    network: InContextNetwork,
    nets: MergedBatch,
    devices: DeviceSource,
    settings: InContextSettings,
    random: np.random.Generator,
) -> Tensor:
    chosen = random.permutation(len(nets))[: settings.nets]
    count = min(int(random.choice(SAMPLES)), len(chosen) // 3)
    queries = min(settings.queries, len(chosen) // 3)
    tasks = [_task(devices.draw(chosen, random), count, queries, random) for _ in range(settings.devices)]
    predicted = _predicted(network, nets[chosen], tasks)
    truth = torch.from_numpy(np.stack([task.truth for task in tasks])).float()
    error = (predicted - truth) / (0.2 + 0.8 * truth)
    return smooth_l1_loss(error, torch.zeros_like(error), beta=settings.beta)


def _predicted(network: InContextNetwork, batch: MergedBatch, tasks: Sequence[_Task]) -> Tensor:
    """tasks x queries; the batch's nets are encoded once for all tasks."""
    present, relations = torch.from_numpy(batch.present).float(), torch.from_numpy(batch.relations)
    nets, totals = network.nets(torch.from_numpy(batch.features), relations, present), torch.from_numpy(batch.totals)
    known, queries = (
        torch.from_numpy(np.stack(each)) for each in zip(*((t.known, t.queries) for t in tasks), strict=True)
    )
    y = torch.from_numpy(np.stack([task.y for task in tasks])).float()
    left_out, base = network.bases(totals[known], y, totals[queries])
    hardware = network.devices(nets[known], present[known], y, left_out).repeat_interleave(queries.shape[1], dim=0)
    flat = queries.flatten()
    predicted = network.decode(hardware, nets[flat], relations[flat], present[flat], base.flatten(0, 1))
    return predicted.view(queries.shape)


def nets_of_task(latency: NDArray[np.float64], random: np.random.Generator) -> Indices:
    """Positions of a device's nets in random order: all of them, or those of the middle latencies."""
    order = random.permutation(len(latency))
    if random.random() < _TRIMMED_SHARE:
        low, high = np.quantile(latency, [0.1, 0.9])
        order = order[(latency[order] >= low) & (latency[order] <= high)]
    return order


def _task(latency: NDArray[np.float64], count: int, queries: int, random: np.random.Generator) -> _Task:
    """A few random nets as samples, others as queries."""
    order = nets_of_task(latency, random)
    known, rest = order[:count], order[count:]
    chosen = rest[:queries] if len(rest) >= queries else np.resize(rest, queries)
    noisy = latency[known] * np.exp(random.choice(_NOISE) * random.standard_normal(count))
    mean = noisy.mean()
    return _Task(known, chosen, noisy / mean, latency[chosen] / mean)
