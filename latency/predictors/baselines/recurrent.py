"""LSTM over the operators in their order: kernel, width and place of each in one token (Lyu et al. 2023)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from latency.predictors.baselines.net_correction import NetCorrection, NetCorrectionPredictor

_WIDTH = 64


class RecurrentCorrection(NetCorrection):
    """One layer of long short-term memory (Hochreiter & Schmidhuber 1997); its last state is read out."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.enter = nn.Linear(features, _WIDTH)
        self.memory = nn.LSTM(_WIDTH, _WIDTH, batch_first=True)
        self.read = nn.Linear(_WIDTH, 1)
        nn.init.zeros_(self.read.weight)
        nn.init.zeros_(self.read.bias)

    def forward(self, tokens: Tensor, present: Tensor, relations: Tensor) -> Tensor:  # noqa: ARG002 - order is all it sees
        """See ``NetCorrection``."""
        lengths = present.sum(dim=1)
        packed = pack_padded_sequence(torch.relu(self.enter(tokens)), lengths, batch_first=True, enforce_sorted=False)
        _, (state, _) = self.memory(packed)
        return self.read(state[-1]).squeeze(-1)  # type: ignore[no-any-return]


class RecurrentPredictor(NetCorrectionPredictor):
    """See the module."""

    name = "recurrent"

    def _make(self, features: int) -> NetCorrection:
        return RecurrentCorrection(features)
