"""Trains a network on the labelled nodes of a graph. Importing this module loads torch."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from foundation.errors import UserError
from foundation.evaluation_mode import evaluation_mode
from foundation.interruption import uninterrupted
from foundation.progress import OnProgress, Progress, ignore_progress
from graphs.data.graph import Graph, Split
from graphs.networks.design import LayerDesign
from graphs.networks.exported import exported_network
from graphs.networks.network import GraphNetwork
from graphs.training.recipe import Recipe
from graphs.training.training_state import TrainingState, read_best

_CHECKPOINTS = 100
"""Of one training, beside the last."""
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Training:
    """One network to train."""

    graph: Graph
    """Its training nodes are learned; its validation nodes say which weights are kept."""
    designs: Sequence[LayerDesign]
    recipe: Recipe
    seed: int
    """Of the first weights and of dropout."""

    def run(self, epochs: int, checkpoint: Path, on_progress: OnProgress = ignore_progress) -> tuple[GraphNetwork, int]:
        """Trains; the network as it is exported, in evaluation mode, and how many epochs it was trained.

        Continues from ``checkpoint`` where that exists; returns at once where it was finished.

        Args:
            epochs: updates of the weights, unless the recipe's patience ends before.
            checkpoint: file of the training.
            on_progress: called after each epoch.

        Raises:
            UserError: PyTorch Geometric is missing; the checkpoint is damaged or belongs to another training.
            KeyboardInterrupt: on Ctrl-C, after the checkpoint was written.
        """
        identity = {**self._identity, "epochs": epochs}
        state = self._start()
        if checkpoint.exists():
            state.restore(checkpoint, identity)
        if not state.finished:
            with _saved_on_interrupt(state, checkpoint, identity):
                self._train(state, epochs, checkpoint, identity, on_progress)
            state.finished = True
            state.save(checkpoint, identity)
            _logger.debug("%s: best validation accuracy %.4f", self._identity["layers"], state.best_accuracy)
        return self._exported(state.best), state.epoch

    def load(self, checkpoint: Path) -> GraphNetwork:
        """The network that ``run`` returned.

        Raises:
            UserError: missing, damaged, of another training, or not finished.
        """
        return self._exported(read_best(checkpoint, self._identity))

    @property
    def _identity(self) -> dict[str, object]:
        layers = json.dumps([asdict(design) for design in self.designs])
        recipe = json.dumps(asdict(self.recipe))
        return {"graph": self.graph.fingerprint, "layers": layers, "recipe": recipe, "seed": self.seed}

    @cached_property
    def _features(self) -> Tensor:
        """Sparse, as the words of texts are; dropout and the first layer then skip the zeros."""
        return torch.from_numpy(self.graph.features).to_sparse()

    def _start(self) -> TrainingState:
        try:
            from graphs.networks.geometric import geometric_network
        except ModuleNotFoundError as error:
            raise UserError(
                "training on graphs", seen=f"no package {error.name}", expected="PyTorch Geometric",
                remedy='run pip install "latseg[graphs]"',
            ) from error  # fmt: skip
        with _random_numbers(self.seed, 0):
            network = geometric_network(self.graph, self.designs, dropout=self.recipe.dropout)
        rate, decay = self.recipe.learning_rate, self.recipe.weight_decay
        return TrainingState(network, torch.optim.Adam(network.parameters(), lr=rate, weight_decay=decay))

    def _train(
        self, state: TrainingState, epochs: int, checkpoint: Path, identity: dict[str, object], on_progress: OnProgress
    ) -> None:
        every, patience = max(1, epochs // _CHECKPOINTS), self.recipe.patience
        while state.epoch < epochs and state.waited < patience:
            with uninterrupted():
                loss = self._epoch(state)
                if state.epoch % every == 0:
                    state.save(checkpoint, identity)
            done = epochs if state.waited >= patience else state.epoch
            on_progress(Progress("training", done, epochs, f"loss {loss:.3f}"))

    def _epoch(self, state: TrainingState) -> float:
        """One update of the weights and what it did; the loss before it."""
        network, graph, features = state.network, self.graph, self._features
        labels = torch.from_numpy(graph.labels)
        network.train()
        state.epoch += 1
        with _random_numbers(self.seed, state.epoch):
            logits = network(features)
        loss = functional.cross_entropy(logits[graph.train], labels[graph.train])
        state.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        state.optimiser.step()
        with evaluation_mode(network), torch.no_grad():
            logits = network(features)[graph.validation]
        truth = labels[graph.validation]
        state.note(float((logits.argmax(1) == truth).float().mean()), float(functional.cross_entropy(logits, truth)))
        return float(loss.detach())

    def _exported(self, weights: dict[str, Tensor]) -> GraphNetwork:
        with _random_numbers(self.seed, 0):  # they are overwritten
            network = exported_network(self.graph, self.designs)
        network.load_state_dict(weights)
        return network.eval()


def accuracy(network: nn.Module, graph: Graph, split: Split, limit: int | None = None) -> tuple[float, int]:
    """Share of the split's first ``limit`` nodes whose class is found, and how many nodes these are."""
    nodes = getattr(graph, split)[:limit]
    with evaluation_mode(network), torch.no_grad():
        logits = network(torch.from_numpy(graph.features))[nodes]
    return float((logits.argmax(1).numpy() == graph.labels[nodes]).mean()), len(nodes)


@contextmanager
def _random_numbers(seed: int, epoch: int) -> Iterator[None]:
    """Torch's random numbers within the block follow from seed and epoch; afterwards they go on as before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed * 1_000_003 + epoch)
        yield


@contextmanager
def _saved_on_interrupt(state: TrainingState, checkpoint: Path, identity: dict[str, object]) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        with uninterrupted():
            state.save(checkpoint, identity)
        raise
