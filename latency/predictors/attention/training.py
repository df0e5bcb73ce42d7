"""Trains one member of the attention predictor: relative error of the whole net and of each measured kernel."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from latency.predictors.additive.kernel_groups import kernels_of
from latency.predictors.attention.network import CorrectionNetwork
from latency.predictors.encoding.operator_table import OperatorTable
from latency.predictors.encoding.tokens import chunks_by_length, token_batch
from latency.predictors.optimisation import minimise
from latency.sample import LatencySample

_MIN_MS = 1e-4
_ROUNDS_WITH_SAME_CHUNKS = 10
_STEPS_PER_NET = 30
_SINGLE_SHARE = 0.2
_LEAST_SINGLE = 10


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How a member is built and trained; defaults had the smallest error on held-out nets of the portrait space."""

    width: int = 32
    layers: int = 1
    """A second layer was no better and took twice the time: the time of a kernel depends on its direct neighbours."""
    heads: int = 2
    """Width 64 and four heads were no better on draws of this space, and slower."""
    limit: float = 3.0
    """Largest correction of log time: a factor of 20 in either direction. Some devices skip operators that no output
    depends on; 1.5 was no better elsewhere."""
    steps: int = 1500
    """Of the optimiser; at most ``_STEPS_PER_NET`` for each net."""
    batch: int = 4
    rate: float = 3e-3
    weight_decay: float = 0.05
    average: float = 0.98
    """Decay of the exponential moving average of the weights, for each step."""
    kernel_weight: float = 3.0
    """Of the kernels' loss beside that of the whole net."""
    isolated_weight: float = 0.2
    """Of kernels measured in single-operator models, beside that of kernels within nets."""
    beta: float = 0.05
    """Where smooth L1 turns from quadratic to linear, in log ratio."""

    def for_nets(self, count: int) -> TrainingSettings:
        """The same with fewer steps where nets are few, where more steps do not lower the error."""
        return replace(self, steps=min(self.steps, _STEPS_PER_NET * count))


@dataclass(frozen=True)
class _Chunk:
    """Samples of similar length as tensors; kernels are padded to ``batch x kernels``."""

    rows: Tensor
    present: Tensor
    places: Tensor
    relations: Tensor
    kernel_of: Tensor
    """batch x tokens: kernel of each operator, the last one for those of none."""
    kernel_log_ms: Tensor
    kernel_share: Tensor
    """batch x kernels: share of the time of the net's kernels; zero where padded."""
    log_latency: Tensor
    whole: Tensor
    """batch: 1 for whole nets, 0 for single-operator models."""


def train_member(
    network: CorrectionNetwork,
    samples: Sequence[LatencySample],
    table: OperatorTable,
    features: Tensor,
    log_base: Tensor,
    isolated: Tensor,
    settings: TrainingSettings,
    *,
    seed: int,
    on_step: Callable[[int], None],
) -> None:
    """Trains in place; afterwards the network holds the averaged weights.

    Args:
        network: freshly made.
        samples: what to learn from; graphs are not empty.
        table: holds the samples' operators; ``features`` (operators x width), ``log_base`` and ``isolated`` (operators)
            are indexed by its rows; ``isolated`` is what measuring in isolation adds to ``log_base``.
        settings: hyper-parameters.
        seed: of the order of the samples.
        on_step: called after each step with its number.
    """
    chunks = _endless(samples, table, settings, np.random.default_rng(seed))
    minimise(
        network,
        lambda: _loss(network, next(chunks), features, log_base, isolated, settings),
        _groups(network, settings),
        steps=settings.steps,
        rate=settings.rate,
        decay=lambda _: settings.average,
        on_step=on_step,
    )


def _endless(
    samples: Sequence[LatencySample], table: OperatorTable, settings: TrainingSettings, generator: np.random.Generator
) -> Iterator[_Chunk]:
    """Endless chunks in random order; the samples are divided into new chunks every few rounds.

    At most so many single-operator models are among them that the nets keep most of the steps: ``profile --for`` adds
    hundreds.
    """
    whole, single = ([each for each in samples if each.single_operator == alone] for alone in (False, True))
    most = max(_LEAST_SINGLE, round(_SINGLE_SHARE * len(whole)))
    while True:
        some = [single[position] for position in generator.permutation(len(single))[:most]]
        mixed = [*whole, *some]
        chunks = _chunks([mixed[position] for position in generator.permutation(len(mixed))], table, settings.batch)
        for _ in range(_ROUNDS_WITH_SAME_CHUNKS):
            for position in generator.permutation(len(chunks)):
                yield chunks[position]


def _groups(network: CorrectionNetwork, settings: TrainingSettings) -> list[dict[str, Any]]:
    """Weight decay applies to matrices; not to biases, norms, relation biases and the overhead."""
    matrices = [p for name, p in network.named_parameters() if p.ndim == 2 and not name.endswith("attention.bias")]
    others = [p for name, p in network.named_parameters() if p.ndim != 2 or name.endswith("attention.bias")]
    return [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}]


def _loss(
    network: CorrectionNetwork,
    chunk: _Chunk,
    features: Tensor,
    log_base: Tensor,
    isolated: Tensor,
    settings: TrainingSettings,
) -> Tensor:
    embedded = network.embeddings(features[chunk.rows])
    correction = network.corrections(embedded, chunk.places, chunk.relations)
    single = (1 - chunk.whole)[:, None]
    log_ms = log_base[chunk.rows] + single * isolated[chunk.rows] + correction
    ms = log_ms.exp() * chunk.present
    kernels = torch.zeros(len(ms), chunk.kernel_log_ms.shape[1] + 1).scatter_add(1, chunk.kernel_of, ms)[:, :-1]
    error = (kernels.clamp_min(_MIN_MS).log() - chunk.kernel_log_ms).abs()
    kernel_loss = smooth_l1_loss(error, torch.zeros_like(error), reduction="none", beta=2 * settings.beta)
    weights = chunk.kernel_share * (chunk.whole + (1 - chunk.whole) * settings.isolated_weight)[:, None]
    total = (ms.sum(dim=1) + network.log_constant.exp()).log()
    net_loss = smooth_l1_loss(total, chunk.log_latency, reduction="none", beta=settings.beta)
    return (settings.kernel_weight * (weights * kernel_loss).sum() + (chunk.whole * net_loss).sum()) / len(ms)


def _chunks(samples: Sequence[LatencySample], table: OperatorTable, size: int) -> list[_Chunk]:
    whole = [sample for sample in samples if not sample.single_operator]
    single = [sample for sample in samples if sample.single_operator]
    groups = [(whole, size), (single, 8 * size)]
    return [
        _chunk([members[position] for position in positions], table)
        for members, length in groups
        for positions in chunks_by_length([sample.graph for sample in members], length)
    ]


def _chunk(samples: Sequence[LatencySample], table: OperatorTable) -> _Chunk:
    single = [sample.single_operator for sample in samples]
    graphs = [sample.graph for sample in samples]
    tokens = token_batch(graphs, [table.rows(graph) for graph in graphs], isolated=single)
    kernels = max(len(kernels_of(sample)) for sample in samples)
    kernel_of = np.full(tokens.rows.shape, kernels, np.int64)
    log_ms = np.zeros((len(samples), kernels), np.float32)
    share = np.zeros((len(samples), kernels), np.float32)
    for index, sample in enumerate(samples):
        total_ms = max(sum(kernel.ms for kernel in kernels_of(sample)), _MIN_MS)
        for position, kernel in enumerate(kernels_of(sample)):
            kernel_of[index, list(kernel.operators)] = position
            log_ms[index, position] = math.log(max(kernel.ms, _MIN_MS))
            share[index, position] = kernel.ms / total_ms
    return _Chunk(
        torch.from_numpy(tokens.rows),
        torch.from_numpy(tokens.present).float(),
        torch.from_numpy(tokens.places),
        torch.from_numpy(tokens.relations).long(),
        torch.from_numpy(kernel_of),
        torch.from_numpy(log_ms),
        torch.from_numpy(share),
        torch.tensor([math.log(sample.latency_ms) for sample in samples]),
        1 - torch.tensor(single, dtype=torch.float32),
    )
