"""Pre-trains the in-context transformer on measured, mixed and random devices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from latency.predictors.attention.minimising import minimise
from latency.predictors.transfer.in_context_network import InContextNetwork
from latency.predictors.transfer.merged_batch import MergedBatch
from latency.predictors.transfer.synthetic_devices import DeviceSource

Indices = NDArray[np.int64]
_SAMPLES = (6, 10, 20)
_NOISE = (0.0, 0.05, 0.1, 0.2)
"""Of the samples' latencies."""
_TRIMMED_SHARE = 0.7


@dataclass(frozen=True, slots=True)
class InContextSettings:
    """How the transformer is built and pre-trained."""

    width: int = 48
    heads: int = 4
    layers: int = 2
    steps: int = 2000
    """Of the optimiser; two to three minutes on one thread for a thousand nets."""
    nets: int = 96
    """That are encoded in a step, for all of its devices."""
    devices: int = 8
    """Of a step."""
    queries: int = 24
    """Of a device in a step."""
    rate: float = 2e-3
    weight_decay: float = 0.05
    average: float = 0.99
    """Decay of the exponential moving average of the weights, for each step."""
    beta: float = 0.1
    """Where smooth L1 turns from square to straight."""


@dataclass(frozen=True)
class _Task:
    """Positions among the step's nets, and latencies over the mean of the samples."""

    known: Indices
    asked: Indices
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
    count = min(int(random.choice(_SAMPLES)), len(chosen) // 3)
    queries = min(settings.queries, len(chosen) // 3)
    tasks = [_task(devices.draw(chosen, random), count, queries, random) for _ in range(settings.devices)]
    told = _told(network, nets[chosen], tasks)
    truth = torch.from_numpy(np.stack([task.truth for task in tasks])).float()
    error = (told - truth) / (0.2 + 0.8 * truth)
    return smooth_l1_loss(error, torch.zeros_like(error), beta=settings.beta)


def _told(network: InContextNetwork, batch: MergedBatch, tasks: Sequence[_Task]) -> Tensor:
    """tasks x questions: what the network says; the batch's nets are encoded once for all tasks."""
    present, relations = torch.from_numpy(batch.present).float(), torch.from_numpy(batch.relations)
    nets, totals = network.nets(torch.from_numpy(batch.features), relations, present), torch.from_numpy(batch.totals)
    known, asked = (torch.from_numpy(np.stack(each)) for each in zip(*((t.known, t.asked) for t in tasks), strict=True))
    y = torch.from_numpy(np.stack([task.y for task in tasks])).float()
    left_out, base = network.bases(totals[known], y, totals[asked])
    hardware = network.devices(nets[known], present[known], y, left_out).repeat_interleave(asked.shape[1], dim=0)
    flat = asked.flatten()
    told = network.ask(hardware, nets[flat], relations[flat], present[flat], base.flatten(0, 1))
    return told.view(asked.shape)


def _task(latency: NDArray[np.float64], count: int, queries: int, random: np.random.Generator) -> _Task:
    """A few nets drawn to be known, others to be predicted."""
    order = random.permutation(len(latency))
    if random.random() < _TRIMMED_SHARE:
        low, high = np.quantile(latency, [0.1, 0.9])
        order = order[(latency[order] >= low) & (latency[order] <= high)]
    known, asked = order[:count], order[count : count + queries]
    if len(asked) < queries:
        asked = np.resize(order[count:], queries)
    seen = latency[known] * np.exp(random.choice(_NOISE) * random.standard_normal(count))
    mean = seen.mean()
    return _Task(known, asked, seen / mean, latency[asked] / mean)
