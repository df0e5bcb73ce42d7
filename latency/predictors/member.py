"""One member of the attention predictor: an additive base and the network that corrects it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latency.predictors.features import Features
from latency.predictors.kernel_groups import kernel_groups
from latency.predictors.network import CorrectionNetwork
from latency.predictors.operator_table import OperatorTable
from latency.predictors.regression import OperatorRegression
from latency.predictors.tokens import TokenBatch
from latency.predictors.training import TrainingSettings, train_member
from latency.predictors.vocabulary import Vocabulary
from latency.sample import LatencySample

_CONSTANT_SHARE = 0.003
"""Of a net's latency: what the constant starts with."""


@dataclass
class Member:
    """Predicts log milliseconds of operators; caches what depends on the operator alone by row of the table."""

    vocabulary: Vocabulary
    regression: OperatorRegression
    network: CorrectionNetwork
    _log_base: Tensor = field(default_factory=lambda: torch.zeros(0))
    _embedded: Tensor = field(default_factory=lambda: torch.zeros(0, 0))

    @staticmethod
    def fit(
        samples: Sequence[LatencySample],
        settings: TrainingSettings,
        *,
        seed: int,
        on_step: Callable[[int], None] | None = None,
    ) -> Member:
        """Fits the base in closed form, then trains the network on what it leaves."""
        table = OperatorTable()
        groups = kernel_groups(samples, table)
        vocabulary = Vocabulary.learn(table.features)
        regression = OperatorRegression.fit(groups, table.features, vocabulary)
        network = _network(vocabulary, settings, seed)
        typical = float(np.median([sample.latency_ms for sample in samples if not sample.single_operator]))
        with torch.no_grad():
            network.log_constant.fill_(np.log(_CONSTANT_SHARE * typical))
        train_member(
            network,
            samples,
            table,
            _encoded(table.features, vocabulary),
            _tensor(regression.log_ms(table.features, vocabulary)),
            _tensor(regression.isolated_of(table.features, vocabulary)),
            settings,
            seed=seed,
            on_step=on_step,
        )
        return Member(vocabulary, regression, network.eval())

    @torch.no_grad()
    def log_ms(self, tokens: TokenBatch, operators: Sequence[Features]) -> tuple[Tensor, float]:
        """Log milliseconds, batch x tokens (meaningless where padded), and the constant's milliseconds."""
        self._extend(operators)
        rows = torch.from_numpy(tokens.rows)
        correction = self.network.corrections(
            self._embedded[rows], torch.from_numpy(tokens.places), torch.from_numpy(tokens.relations).int()
        )
        return self._log_base[rows] + correction, float(self.network.log_constant.exp())

    def forget(self) -> None:
        """Empties the cache, before the table it goes by is replaced."""
        self._log_base = torch.zeros(0)

    def _extend(self, operators: Sequence[Features]) -> None:
        known = len(self._log_base)
        if known == 0:
            self._embedded = torch.zeros(0, self.network.norm.normalized_shape[0])
        if known < len(operators):
            fresh = operators[known:]
            self._log_base = torch.cat([self._log_base, _tensor(self.regression.log_ms(fresh, self.vocabulary))])
            embedded = self.network.embeddings(_encoded(fresh, self.vocabulary))
            self._embedded = torch.cat([self._embedded, embedded])

    def arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Its numbers by name, to be written to disk."""
        weights = {f"network.{name}": tensor.numpy() for name, tensor in self.network.state_dict().items()}
        base = {f"regression.{name}": array for name, array in self.regression.arrays().items()}
        return {f"{prefix}{name}": array for name, array in {**weights, **base}.items()}

    @staticmethod
    def from_arrays(
        vocabulary: Vocabulary, settings: TrainingSettings, arrays: dict[str, NDArray[Any]], prefix: str
    ) -> Member:
        """Reads ``arrays``.

        Raises:
            KeyError, RuntimeError: numbers are missing or of another shape.
        """
        mine = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
        network = _network(vocabulary, settings, 0)
        network.load_state_dict(
            {
                name.removeprefix("network."): torch.from_numpy(array)
                for name, array in mine.items()
                if name.startswith("network.")
            }
        )
        base = {name.removeprefix("regression."): array for name, array in mine.items()}
        return Member(vocabulary, OperatorRegression.from_arrays(base), network.eval())


def settings_json(settings: TrainingSettings) -> dict[str, Any]:
    """Plain JSON object."""
    return asdict(settings)


def _network(vocabulary: Vocabulary, settings: TrainingSettings, seed: int) -> CorrectionNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = CorrectionNetwork(
            vocabulary.width,
            width=settings.width,
            layers=settings.layers,
            heads=settings.heads,
            limit=settings.limit,
        )
    with torch.no_grad():
        # The flag of an unknown category is never set in training: what it would add must be nothing, not noise.
        network.enter.weight[:, len(vocabulary.categories)] = 0.0
    return network


def _encoded(operators: Sequence[Features], vocabulary: Vocabulary) -> Tensor:
    return torch.from_numpy(np.stack([vocabulary.encode(operator) for operator in operators]))


def _tensor(array: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(array.astype(np.float32))
