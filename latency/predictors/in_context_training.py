"""Pre-trains the in-context transformer on measured, mixed and random devices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from latency.predictors.in_context_network import InContextNetwork
from latency.predictors.merged_batch import MergedBatch
from latency.predictors.synthetic_devices import DeviceSource

Indices = NDArray[np.int64]
_SAMPLES = (6, 10, 20)
_NOISE = (0.0, 0.03, 0.1)
"""Of the samples' latencies."""
_TRIMMED_SHARE = 0.7


@dataclass(frozen=True, slots=True)
class InContextSettings:
    """How the transformer is built and pre-trained."""

    width: int = 48
    heads: int = 4
    layers: int = 2
    steps: int = 2000
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
    parameters = list(network.parameters())
    optimiser = torch.optim.AdamW(parameters, lr=settings.rate, weight_decay=settings.weight_decay, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.rate, total_steps=settings.steps + 1, pct_start=0.1
    )
    weights = [parameter.detach() for parameter in parameters]
    averaged = [weight.clone() for weight in weights]
    for step in range(settings.steps):
        loss = _loss(network, nets, devices, settings, random)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        torch._foreach_lerp_(averaged, weights, 1 - min(settings.average, (step + 1) / (step + 10)))
    for mean, weight in zip(averaged, weights, strict=True):
        weight.copy_(mean)


def _loss(
    network: InContextNetwork,
    nets: MergedBatch,
    devices: DeviceSource,
    settings: InContextSettings,
    random: np.random.Generator,
) -> Tensor:
    chosen = random.permutation(len(nets))[: settings.nets]
    batch = nets[chosen]
    count = min(int(random.choice(_SAMPLES)), len(chosen) // 3)
    queries = min(settings.queries, len(chosen) // 3)
    tasks = [_task(devices.draw(chosen, random), count, queries, random) for _ in range(settings.devices)]
    present, relations = torch.from_numpy(batch.present).float(), torch.from_numpy(batch.relations)
    encoded = network.nets(torch.from_numpy(batch.features), relations, present)
    known = torch.from_numpy(np.stack([task.known for task in tasks]))
    asked = torch.from_numpy(np.concatenate([task.asked for task in tasks]))
    y = torch.from_numpy(np.stack([task.y for task in tasks])).float()
    truth = torch.from_numpy(np.concatenate([task.truth for task in tasks])).float()
    totals = torch.from_numpy(batch.totals)
    left_out, base = network.bases(totals[known], y, totals[asked].view(len(tasks), queries, *totals.shape[1:]))
    hardware = network.devices(encoded[known], present[known], y, left_out).repeat_interleave(queries, dim=0)
    told = network.ask(hardware, encoded[asked], relations[asked], present[asked], base.flatten(0, 1))
    error = (told - truth) / (0.2 + 0.8 * truth)
    return smooth_l1_loss(error, torch.zeros_like(error), beta=settings.beta)


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
