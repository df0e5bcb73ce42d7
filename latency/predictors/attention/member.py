"""One member of the attention predictor: an additive base and the network that corrects it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latency.predictors.additive.kernel_groups import kernel_groups
from latency.predictors.additive.regression import OperatorRegression
from latency.predictors.attention.network import CorrectionNetwork
from latency.predictors.attention.training import TrainingSettings, train_member
from latency.predictors.encoding.operator_table import OperatorTable, RowCache
from latency.predictors.encoding.tokens import TokenBatch
from latency.predictors.encoding.vocabulary import EncodedOperators
from latency.predictors.stored import Arrays, prefixed, without_prefix
from latency.sample import LatencySample

_OVERHEAD_SHARE = 0.003
"""Overhead before training, as a share of a net's latency."""
_MIN_SINGLE = 20
_LEAST_PERCENT = 10
_MIN_SHARE = 0.01
"""Of the usual overhead; less is a fault of a clock."""


@dataclass(frozen=True)
class TrainingOperators:
    """Every different operator of the training samples, encoded once for all members."""

    table: OperatorTable
    encoded: EncodedOperators
    families: int
    """Of the vocabulary."""


@dataclass
class Member:
    """Predicts log milliseconds of operators; caches by row of the table what depends on one operator only."""

    regression: OperatorRegression
    network: CorrectionNetwork
    _log_base: RowCache = field(default_factory=RowCache)
    _embedded: RowCache = field(default_factory=RowCache)

    @staticmethod
    def fit(
        samples: Sequence[LatencySample],
        operators: TrainingOperators,
        settings: TrainingSettings,
        *,
        seed: int,
        on_step: Callable[[int], None],
    ) -> Member:
        """Fits the base in closed form, then trains the network on its residuals."""
        encoded = operators.encoded
        regression = OperatorRegression.fit(kernel_groups(samples, operators.table), encoded, operators.families)
        network = _network(encoded.network_input.shape[1], settings, seed)
        categories = encoded.categories.shape[1]
        overhead_ms, known = _overhead_ms(samples)
        with torch.no_grad():
            # Categories that only other members' nets contain stay at zero and so add no noise.
            network.enter.weight[:, :categories] = 0.0
            network.log_constant.fill_(np.log(overhead_ms))
        network.log_constant.requires_grad_(not known)
        train_member(
            network,
            samples,
            operators.table,
            torch.from_numpy(encoded.network_input),
            _tensor(regression.log_ms(encoded)),
            _tensor(regression.isolated_of(encoded)),
            settings,
            seed=seed,
            on_step=on_step,
        )
        return Member(regression, network)

    def fresh(self) -> Member:
        """The same member with empty caches."""
        return Member(self.regression, self.network)

    @torch.no_grad()
    def extend(self, operators: EncodedOperators) -> None:
        """Appends the next rows of the table to the cache."""
        self._embedded.append(self.network.embeddings(torch.from_numpy(operators.network_input)).numpy())
        self._log_base.append(self.regression.log_ms(operators).astype(np.float32))

    @torch.no_grad()
    def log_ms(self, tokens: TokenBatch) -> tuple[Tensor, float]:
        """Log milliseconds, batch x tokens (meaningless where padded), and the overhead's milliseconds."""
        correction = self.network.corrections(
            torch.from_numpy(self._embedded[tokens.rows]),
            torch.from_numpy(tokens.places),
            torch.from_numpy(tokens.relations),
        )
        return torch.from_numpy(self._log_base[tokens.rows]) + correction, float(self.network.log_constant.exp())

    def arrays(self) -> Arrays:
        """Its numbers by name, to be written to disk."""
        weights = {name: tensor.numpy() for name, tensor in self.network.state_dict().items()}
        return prefixed(weights, "network.") | prefixed(vars(self.regression), "regression.")

    @staticmethod
    def from_arrays(width: int, settings: TrainingSettings, arrays: Arrays) -> Member:
        """Reads ``arrays``; ``width`` is that of an encoded operator.

        Raises:
            KeyError, RuntimeError: numbers are missing or of another shape.
        """
        network = _network(width, settings, 0)
        weights = without_prefix(arrays, "network.")
        network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
        return Member(OperatorRegression.from_arrays(without_prefix(arrays, "regression.")), network.eval())


def _overhead_ms(samples: Sequence[LatencySample]) -> tuple[float, bool]:
    """What a run takes beside its operators, and whether that is known; else training goes on from it.

    Models of a single operator take at least so much more than their kernel. Nets that are long beside it do not tell.
    """
    typical = float(np.median([sample.latency_ms for sample in samples if not sample.single_operator]))
    usual = _OVERHEAD_SHARE * typical
    beside = [
        sample.latency_ms - sum(kernel.ms for kernel in sample.kernels)
        for sample in samples
        if sample.single_operator and sample.kernels
    ]
    if len(beside) < _MIN_SINGLE:
        return usual, False
    least = float(np.percentile(beside, _LEAST_PERCENT))
    return (least, True) if _MIN_SHARE * usual < least < usual else (usual, False)


def _network(features: int, settings: TrainingSettings, seed: int) -> CorrectionNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CorrectionNetwork(
            features, width=settings.width, layers=settings.layers, heads=settings.heads, limit=settings.limit
        )


def _tensor(array: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(array.astype(np.float32))
