"""What the recurrent and the convolutional predictor share: a network that corrects an additive base as a whole.

Both know only whole nets: neither kernels' times nor relations beyond those that they are made of.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss

from latency.operators.operator import OperatorGraph
from latency.predictor import Prediction
from latency.predictors.additive.predictor import AdditivePredictor
from latency.predictors.encoding.tokens import TokenBatch, chunks_by_length, token_batch
from latency.predictors.sample_checks import whole_nets
from latency.predictors.stored import Arrays, Document, prefixed, without_prefix
from latency.predictors.threads import torch_threads
from latency.sample import LatencySample

_EPOCHS = 60
_BATCH = 8
_RATE = 3e-3
_BETA = 0.05
"""Where smooth L1 turns from square to straight, in log ratio."""
_LIMIT = 1.5
"""Largest correction of log latency."""


class NetCorrection(nn.Module, ABC):
    """From a net's tokens to one number."""

    @abstractmethod
    def forward(self, tokens: Tensor, present: Tensor, relations: Tensor) -> Tensor:
        """batch x tokens x features, batch x tokens, batch x tokens x tokens (codes) to batch."""


class NetCorrectionPredictor(AdditivePredictor):
    """Regression on the sizes of operators, its sum corrected by a ``NetCorrection``."""

    def __init__(self, *, epochs: int = _EPOCHS, threads: int = 1) -> None:
        super().__init__()
        self._epochs = epochs
        self._threads = threads
        self._network: NetCorrection | None = None

    @abstractmethod
    def _make(self, features: int) -> NetCorrection:
        """A fresh network for tokens of so many features."""

    def fit(self, samples: Sequence[LatencySample], *, seed: int = 0) -> None:
        """The additive base first, then the network on the logarithm of truth / base."""
        self._network = None
        super().fit(samples, seed=seed)
        whole = whole_nets(samples)
        graphs = [sample.graph for sample in whole]
        base = [prediction.latency_ms for prediction in self.predict(graphs)]
        target = torch.tensor([np.log(s.latency_ms / ms) for s, ms in zip(whole, base, strict=True)]).float()
        with torch_threads(self._threads), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._network = self._trained(graphs, target, np.random.default_rng(seed))

    def _trained(self, graphs: Sequence[OperatorGraph], target: Tensor, random: np.random.Generator) -> NetCorrection:
        chunks = [
            (positions, self._inputs([graphs[i] for i in positions])) for positions in chunks_by_length(graphs, _BATCH)
        ]
        network = self._make(chunks[0][1][0].shape[2])
        optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=0.05)
        steps = self._epochs * len(chunks)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=steps + 1, pct_start=0.1)
        for _ in range(self._epochs):
            for number in random.permutation(len(chunks)):
                positions, inputs = chunks[number]
                loss = smooth_l1_loss(_limited(network(*inputs)), target[positions], beta=_BETA)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimiser.step()
                schedule.step()
        return network.eval()

    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Prediction]:
        """See ``LatencyPredictor``."""
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

    def _learned(self) -> tuple[Document, Arrays]:
        assert self._network is not None, "fit or load comes first"
        weights = {name: tensor.numpy() for name, tensor in self._network.state_dict().items()}
        features = next(iter(self._network.parameters())).shape[1]
        return {"features": features}, prefixed(weights, "network.")

    def _relearn(self, document: Document, arrays: Arrays) -> None:
        network = self._make(int(document["features"]))
        weights = without_prefix(arrays, "network.")
        network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
        self._network = network.eval()


def _limited(score: Tensor) -> Tensor:
    return _LIMIT * torch.tanh(score / _LIMIT)
