"""Baselines that correct an additive base by a network on the whole net: an LSTM and a graph convolution.

They learn from whole nets only, not from kernel times, and know no relations beyond their own structure.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss
from torch.nn.utils.rnn import pack_padded_sequence
from typing_extensions import override

from latency.operators.operator import OperatorGraph
from latency.predictor import Prediction
from latency.predictors.additive.predictor import AdditivePredictor
from latency.predictors.encoding.relations import PREDECESSOR, SUCCESSOR
from latency.predictors.encoding.tokens import TokenBatch, chunks_by_length, token_batch
from latency.predictors.optimisation import minimise
from latency.predictors.sample_checks import whole_nets
from latency.predictors.stored import Arrays, Document, prefixed, without_prefix
from latency.predictors.threads import torch_threads
from latency.sample import LatencySample

_EPOCHS = 60
_BATCH = 8
_RATE = 3e-3
_WEIGHT_DECAY = 0.05
_BETA = 0.05
"""Where smooth L1 turns from quadratic to linear, in log ratio."""
_LIMIT = 1.5
"""Largest correction of log latency."""
_WIDTH = 64
_GRAPH_LAYERS = 3


class NetCorrection(nn.Module, ABC):
    """From a net's tokens to one number, which is zero before training."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.enter = nn.Linear(features, _WIDTH)
        self.read = nn.Linear(_WIDTH, 1)
        nn.init.zeros_(self.read.weight)
        nn.init.zeros_(self.read.bias)

    @abstractmethod
    def state(self, tokens: Tensor, present: Tensor, relations: Tensor) -> Tensor:
        """batch x tokens x width, batch x tokens, batch x tokens x tokens (codes) to batch x width."""

    def forward(self, tokens: Tensor, present: Tensor, relations: Tensor) -> Tensor:
        """batch x tokens x features, batch x tokens, batch x tokens x tokens (codes) to batch."""
        return self.read(self.state(torch.relu(self.enter(tokens)), present, relations)).squeeze(-1)  # type: ignore[no-any-return]


class RecurrentCorrection(NetCorrection):
    """LSTM over the operators in their order (Hochreiter & Schmidhuber 1997; for latency, Lyu et al. 2023)."""

    def __init__(self, features: int) -> None:
        super().__init__(features)
        self.memory = nn.LSTM(_WIDTH, _WIDTH, batch_first=True)

    @override
    def state(self, tokens: Tensor, present: Tensor, relations: Tensor) -> Tensor:
        packed = pack_padded_sequence(tokens, present.sum(dim=1), batch_first=True, enforce_sorted=False)
        _, (state, _) = self.memory(packed)
        return state[-1]  # type: ignore[no-any-return]


class GraphCorrection(NetCorrection):
    """Layers of own, producers' and consumers' means (Kipf & Welling 2017), then the mean over the net.

    Both directions of the edges are used, after BRP-NAS (Dudziak et al., NeurIPS 2020).
    """

    def __init__(self, features: int) -> None:
        super().__init__(features)
        self.layers = nn.ModuleList(nn.Linear(3 * _WIDTH, _WIDTH) for _ in range(_GRAPH_LAYERS))

    @override
    def state(self, tokens: Tensor, present: Tensor, relations: Tensor) -> Tensor:
        producers, consumers = (_normalised(relations == code) for code in (PREDECESSOR, SUCCESSOR))
        for layer in self.layers:
            tokens = tokens + torch.relu(layer(torch.cat([tokens, producers @ tokens, consumers @ tokens], dim=-1)))
        weight = present.float()[:, :, None]
        return (weight * tokens).sum(dim=1) / weight.sum(dim=1)


class NetCorrectionPredictor(AdditivePredictor):
    """Regression on the sizes of operators, its sum corrected by a ``NetCorrection``."""

    network: type[NetCorrection]

    def __init__(self, *, epochs: int = _EPOCHS) -> None:
        super().__init__()
        self._epochs = epochs
        self._network: NetCorrection | None = None

    @override
    def fit(self, samples: Sequence[LatencySample], *, seed: int = 0) -> None:
        self._network = None
        super().fit(samples, seed=seed)
        whole = whole_nets(samples)
        graphs = [sample.graph for sample in whole]
        base = [prediction.latency_ms for prediction in self.predict(graphs)]
        target = torch.tensor([np.log(s.latency_ms / ms) for s, ms in zip(whole, base, strict=True)]).float()
        with torch_threads(1), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._network = self._trained(graphs, target, np.random.default_rng(seed))

    def _trained(self, graphs: Sequence[OperatorGraph], target: Tensor, random: np.random.Generator) -> NetCorrection:
        """A network that predicts the logarithm of measured / base."""
        chunks = [
            (target[positions], self._inputs([graphs[position] for position in positions]))
            for positions in chunks_by_length(graphs, _BATCH)
        ]

        def batches() -> Iterator[int]:
            while True:
                yield from random.permutation(len(chunks)).tolist()

        def loss() -> Tensor:
            truth, inputs = chunks[next(order)]
            return smooth_l1_loss(_limited(network(*inputs)), truth, beta=_BETA)

        order = batches()
        network = self.network(chunks[0][1][0].shape[2])
        groups = [{"params": list(network.parameters()), "weight_decay": _WEIGHT_DECAY}]
        minimise(network, loss, groups, steps=self._epochs * len(chunks), rate=_RATE)
        return network

    @override
    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Prediction]:
        base = super().predict(graphs)
        if self._network is None or not graphs:
            return base
        factors = np.ones(len(graphs))
        with torch.no_grad():
            for positions in chunks_by_length(graphs, _BATCH):
                inputs = self._inputs([graphs[position] for position in positions])
                factors[positions] = _limited(self._network(*inputs)).double().exp().numpy()
        return [one.scaled(float(factor)) for one, factor in zip(base, factors, strict=True)]

    def _inputs(self, graphs: Sequence[OperatorGraph]) -> tuple[Tensor, Tensor, Tensor]:
        assert self._vocabulary is not None
        tokens: TokenBatch = token_batch(graphs, [self._table.rows(graph) for graph in graphs])
        rows, place = np.unique(tokens.rows, return_inverse=True)
        encoded = self._vocabulary.encode([self._table.features[row] for row in rows.tolist()])
        features = np.concatenate([encoded.network_input[place.reshape(tokens.rows.shape)], tokens.places], axis=2)
        features[~tokens.present] = 0.0
        return (
            torch.from_numpy(features).float(),
            torch.from_numpy(tokens.present),
            torch.from_numpy(tokens.relations).long(),
        )

    @override
    def _learned(self) -> tuple[Document, Arrays]:
        assert self._network is not None, "fit or load comes first"
        weights = {name: tensor.numpy() for name, tensor in self._network.state_dict().items()}
        return {"features": self._network.enter.in_features}, prefixed(weights, "network.")

    @override
    def _relearn(self, document: Document, arrays: Arrays) -> None:
        network = self.network(int(document["features"]))
        weights = without_prefix(arrays, "network.")
        network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
        self._network = network.eval()


class RecurrentPredictor(NetCorrectionPredictor):
    """The sum of operators, corrected by an LSTM."""

    name = "recurrent"
    network = RecurrentCorrection


class GraphConvolutionPredictor(NetCorrectionPredictor):
    """The sum of operators, corrected by a graph convolution."""

    name = "graph_convolution"
    network = GraphCorrection


def _limited(score: Tensor) -> Tensor:
    return _LIMIT * torch.tanh(score / _LIMIT)


def _normalised(edges: Tensor) -> Tensor:
    weights = edges.float()
    return weights / weights.sum(dim=-1, keepdim=True).clamp_min(1.0)
