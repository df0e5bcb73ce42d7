"""Graph convolution over the operators, both ways along the edges, after BRP-NAS (Dudziak et al., NeurIPS 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from latency.predictors.baselines.net_correction import NetCorrection, NetCorrectionPredictor
from latency.predictors.encoding.relations import PREDECESSOR, SUCCESSOR

_WIDTH = 64
_LAYERS = 3


class GraphCorrection(NetCorrection):
    """Layers of own, producers' and consumers' means (Kipf & Welling 2017), then the mean over the net."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.enter = nn.Linear(features, _WIDTH)
        self.layers = nn.ModuleList(nn.Linear(3 * _WIDTH, _WIDTH) for _ in range(_LAYERS))
        self.read = nn.Linear(_WIDTH, 1)
        nn.init.zeros_(self.read.weight)
        nn.init.zeros_(self.read.bias)

    def forward(self, tokens: Tensor, present: Tensor, relations: Tensor) -> Tensor:
        """See ``NetCorrection``."""
        producers, consumers = (_normalised(relations == code) for code in (PREDECESSOR, SUCCESSOR))
        state = torch.relu(self.enter(tokens))
        for layer in self.layers:
            state = state + torch.relu(layer(torch.cat([state, producers @ state, consumers @ state], dim=-1)))
        weight = present.float()[:, :, None]
        mean = (weight * state).sum(dim=1) / weight.sum(dim=1)
        return self.read(mean).squeeze(-1)  # type: ignore[no-any-return]


class GraphConvolutionPredictor(NetCorrectionPredictor):
    """See the module."""

    name = "graph_convolution"

    def _make(self, features: int) -> NetCorrection:
        return GraphCorrection(features)


def _normalised(edges: Tensor) -> Tensor:
    weights = edges.float()
    return weights / weights.sum(dim=-1, keepdim=True).clamp_min(1.0)
