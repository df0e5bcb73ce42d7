"""Self-attention over the operators of a net, biased by the relations between them.

A transformer encoder (Vaswani et al. 2017, pre-norm) whose attention scores get a learned scalar for each head and
relation, as in Graphormer (Ying et al. 2021, section 3.1.2) but for six named relations. It predicts a bounded
correction of each operator's time, which ``regression.py`` predicts first.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import relu, scaled_dot_product_attention

from latency.predictors.encoding.relations import NONE, PADDING, PREDECESSOR, RELATIONS, SIBLING, SUCCESSOR
from latency.predictors.encoding.tokens import PLACES

HEAD_RELATIONS = (PREDECESSOR, SUCCESSOR, SIBLING, NONE)
"""Relation that each head prefers before training."""
_START_BIAS = 3.0


class RelationAttention(nn.Module):
    """Multi-head self-attention with a scalar bias for each head and relation."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        start = torch.zeros(heads, RELATIONS)
        for head in range(heads):
            start[head, HEAD_RELATIONS[head % len(HEAD_RELATIONS)]] = _START_BIAS
        self.bias = nn.Parameter(start)

    def forward(self, tokens: Tensor, relations: Tensor) -> Tensor:
        """batch x tokens x width and batch x tokens x tokens (codes) to batch x tokens x width."""
        batch, count, width = tokens.shape
        split = self.query_key_value(tokens).view(batch, count, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        absent = self.bias.new_full((self.heads, 1), -1e4)
        table = torch.cat([self.bias, absent], dim=1)
        assert table.shape[1] == PADDING + 1
        bias = table.index_select(1, relations.reshape(-1)).view(self.heads, batch, count, count).transpose(0, 1)
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return self.output(mixed.transpose(1, 2).reshape(batch, count, width))  # type: ignore[no-any-return]


class Block(nn.Module):
    """Attention and a two-layer perceptron, each with a normalisation before it and a residual connection."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = RelationAttention(width, heads)
        self.perceptron_norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 2 * width)
        self.narrow = nn.Linear(2 * width, width)

    def forward(self, tokens: Tensor, relations: Tensor) -> Tensor:
        """Same shapes as ``RelationAttention.forward``."""
        tokens = tokens + self.attention(self.attention_norm(tokens), relations)
        return tokens + self.narrow(relu(self.widen(self.perceptron_norm(tokens))))  # type: ignore[no-any-return]


class CorrectionNetwork(nn.Module):
    """Corrections to the logarithm of each operator's time, between ``-limit`` and ``limit``, zero at the start."""

    def __init__(self, features: int, *, width: int, layers: int, heads: int, limit: float) -> None:
        super().__init__()
        self.limit = limit
        self.enter = nn.Linear(features, 2 * width)
        self.embed = nn.Linear(2 * width, width)
        self.place = nn.Linear(PLACES, width, bias=False)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.read = nn.Linear(width, 1)
        self.log_constant = nn.Parameter(torch.zeros(()))  # the overhead; predictors are stored under this name
        nn.init.zeros_(self.read.weight)
        nn.init.zeros_(self.read.bias)

    def embeddings(self, features: Tensor) -> Tensor:
        """operators x features to operators x width: the part that depends on one operator only and can be cached."""
        return self.embed(relu(self.enter(features)))  # type: ignore[no-any-return]

    def corrections(self, embedded: Tensor, places: Tensor, relations: Tensor) -> Tensor:
        """batch x tokens x width, batch x tokens x PLACES, batch x tokens x tokens to batch x tokens."""
        tokens = embedded + self.place(places)
        for block in self.blocks:
            tokens = block(tokens, relations)
        score = self.read(self.norm(tokens)).squeeze(-1)
        return self.limit * torch.tanh(score / self.limit)
