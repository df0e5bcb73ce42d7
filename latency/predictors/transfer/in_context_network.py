"""A transformer that reads a few measured nets of a device and predicts others in the same pass.

Set encoder and decoder as in neural processes (Garnelo et al. 2018; Nguyen & Grover 2022): the measured nets
and their latencies become a few hardware tokens; each net to be predicted attends over the hardware tokens and its own
operators. Attention between operators is biased by their relations (Ying et al. 2021, section 3.1.2).

One of its layers is a set of linear Gaussian processes (``linear_bases.py``), since attention is poor at the least
squares that plain sums of operator costs need. A gate divides each prediction between them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import relu, scaled_dot_product_attention, softplus

from latency.predictors.attention.network import HEAD_RELATIONS
from latency.predictors.encoding.relations import RELATIONS
from latency.predictors.transfer.linear_bases import LinearBases
from latency.predictors.transfer.merged_batch import TOTALS

HARDWARE = 4
"""Hardware tokens of a device."""
_START_BIAS = 2.0
_START_COST = -2.5
_ABSENT = -1e4
_POOLED = 12**-0.5
"""Scale of the sum over a net's classes, which are about a dozen."""
_MIN = 1e-3


class BiasedBlock(nn.Module):
    """Pre-norm transformer block; its heads may be biased by shares of relations."""

    def __init__(self, width: int, heads: int, *, related: bool) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.perceptron_norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 2 * width)
        self.narrow = nn.Linear(2 * width, width)
        self.bias = nn.Parameter(_start(heads)) if related else None

    def forward(self, tokens: Tensor, mask: Tensor | None = None, relations: Tensor | None = None) -> Tensor:
        """Tokens are batch x tokens x width; ``mask`` is batch x tokens, 0 or a large negative number.

        ``relations`` are batch x tokens x tokens x RELATIONS.
        """
        batch, count, width = tokens.shape
        split = self.query_key_value(self.attention_norm(tokens)).view(batch, count, 3, self.heads, -1)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        bias = None if mask is None else mask[:, None, None, :]
        if relations is not None and self.bias is not None and bias is not None:
            bias = bias + (relations @ self.bias).permute(0, 3, 1, 2)
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=bias)
        tokens = tokens + self.output(mixed.transpose(1, 2).reshape(batch, count, width))
        return tokens + self.narrow(relu(self.widen(self.perceptron_norm(tokens))))  # type: ignore[no-any-return]


class InContextNetwork(nn.Module):
    """Predicts latencies over the mean of a device's samples; ``features`` is the width of a class of operators."""

    def __init__(self, features: int, totals: int, *, width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.enter = nn.Linear(features, width)
        self.net_blocks = _blocks(layers, width, heads, related=True)
        self.net_norm = nn.LayerNorm(width)
        self.bases = LinearBases(TOTALS, totals)
        self.latency_features = nn.Linear(3 + self.bases.count, 2 * width)
        self.sample = nn.Linear(3 * width, width)
        self.hardware = nn.Parameter(0.5 * torch.randn(HARDWARE, width))
        self.set_blocks = _blocks(layers, width, heads, related=False)
        self.set_norm = nn.LayerNorm(width)
        self.decoder_blocks = _blocks(layers, width, heads, related=True)
        self.decoder_norm = nn.LayerNorm(width)
        self.base = nn.Linear(self.bases.count, width)
        self.gate = nn.Linear(width, self.bases.count + 1)
        self.read = nn.Linear(width, 1)
        self.read_constant = nn.Linear(width, 1)
        for layer in (self.read, self.read_constant):
            nn.init.normal_(layer.weight, std=0.02)
            nn.init.constant_(layer.bias, _START_COST)

    def nets(self, features: Tensor, relations: Tensor, present: Tensor) -> Tensor:
        """nets x classes x features and so on (``MergedBatch``) to nets x classes x width, for any device."""
        tokens = self.enter(features)
        mask = _mask(present)
        for block in self.net_blocks:
            tokens = block(tokens, mask, relations)
        return self.net_norm(tokens)  # type: ignore[no-any-return]

    def devices(self, nets: Tensor, present: Tensor, y: Tensor, left_out: Tensor) -> Tensor:
        """devices x HARDWARE x width: the encoded samples of each device; their order has no effect.

        Args:
            nets: devices x samples x classes x width, from ``nets``, with their presence.
            y: devices x samples, over their mean.
            left_out: devices x samples x bases, from ``bases``.
        """
        pooled = _POOLED * (nets * present[..., None]).sum(dim=2)
        latency = torch.stack([y, y.clamp_min(_MIN).log(), y**2], dim=-1)
        latency = relu(self.latency_features(torch.cat([latency, y[..., None] - left_out], dim=-1)))
        samples = self.sample(torch.cat([pooled, latency], dim=-1))
        tokens = torch.cat([self.hardware.expand(len(y), -1, -1), samples], dim=1)
        for block in self.set_blocks:
            tokens = block(tokens)
        return self.set_norm(tokens[:, :HARDWARE])  # type: ignore[no-any-return]

    def decode(self, hardware: Tensor, nets: Tensor, relations: Tensor, present: Tensor, base: Tensor) -> Tensor:
        """queries: latency over the mean of the samples.

        Args:
            hardware: queries x HARDWARE x width, from ``devices``.
            nets: queries x classes x width, from ``nets``, with their ``relations`` and presence.
            base: queries x bases, from ``bases``.
        """
        tokens = torch.cat([hardware + self.base(base - 1)[:, None], nets], dim=1)
        mask = torch.cat([torch.zeros(len(tokens), HARDWARE), _mask(present)], dim=1)
        around = torch.nn.functional.pad(relations, (0, 0, HARDWARE, 0, HARDWARE, 0))
        for block in self.decoder_blocks:
            tokens = block(tokens, mask, around)
        tokens = self.decoder_norm(tokens)
        operators = softplus(self.read(tokens[:, HARDWARE:])).squeeze(-1) * present
        constant = softplus(self.read_constant(tokens[:, :HARDWARE].mean(dim=1))).squeeze(-1)
        own = operators.sum(dim=1) + constant
        share = torch.softmax(self.gate(tokens[:, :HARDWARE].mean(dim=1)), dim=1)
        return (share * torch.cat([base.clamp_min(_MIN), own[:, None]], dim=1)).sum(dim=1)


def _blocks(layers: int, width: int, heads: int, *, related: bool) -> nn.ModuleList:
    return nn.ModuleList(BiasedBlock(width, heads, related=related) for _ in range(layers))


def _start(heads: int) -> Tensor:
    """RELATIONS x heads: each head prefers one relation before training."""
    start = torch.zeros(RELATIONS, heads)
    for head in range(heads):
        start[HEAD_RELATIONS[head % len(HEAD_RELATIONS)], head] = _START_BIAS
    return start


def _mask(present: Tensor) -> Tensor:
    return (1 - present) * _ABSENT
