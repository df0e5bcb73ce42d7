"""Classification of the nodes of a citation graph. Importing this module loads torch."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from typing_extensions import override

from foundation.errors import UserError
from foundation.progress import OnProgress, Progress, ignore_progress
from graphs.data.graph import Graph
from graphs.data.registry import open_graph
from graphs.graph_size import GraphSize
from graphs.networks.design import LayerDesign
from graphs.networks.exported import exported_network
from graphs.training.recipe import Recipe
from graphs.training.train import Training, accuracy
from search.architecture import Architecture
from search.tasks.task import Quality, Split, Task, TaskOptions, Trained

INPUT_NAME = "features"


class GraphNets(Protocol):
    """The networks that can be trained for this task: those of a space."""

    @property
    def name(self) -> str:
        """Of the space."""

    @property
    def graph(self) -> GraphSize:
        """The sizes of the graphs on which they work."""

    def designs(self, architecture: Architecture) -> Sequence[LayerDesign]:
        """The layers."""


class NodeClassification(Task):
    """Some nodes of one graph have labels; the network says the classes of all.

    Args:
        space: of the networks; its sizes are those of the graph.
        options: the source names a graph (``graphs.data.registry``); of the training options the amounts and the
            device matter.

    Raises:
        UserError: the training device is not the processor.
    """

    def __init__(self, space: GraphNets, options: TaskOptions) -> None:
        if options.training.device != "cpu":
            raise UserError(
                "training device", seen=options.training.device, expected="cpu: training on graphs has no other",
                remedy="leave --training-device out",
            )  # fmt: skip
        self.space, self.options = space, options

    @cached_property
    def graph(self) -> Graph:
        """The data.

        Raises:
            UserError: the graph cannot be opened, or has other sizes than the space.
        """
        graph = open_graph(self.options.data.source, seed=self.options.seed)
        size, wanted = graph.size, self.space.graph
        if replace(size, degree=0) != replace(wanted, degree=0) or size.levels != wanted.levels:
            sizes = f"nodes={size.nodes},edges={size.edges},degree={size.degree},features={size.features}"
            raise UserError(
                f"graph {graph.name}", seen=size, expected=f"the sizes of the space, {wanted}",
                remedy=f"write --space {self.space.name}:{sizes} here, for profile, too",
            )  # fmt: skip
        return graph

    @property
    @override
    def classes(self) -> tuple[str, ...]:
        return tuple(f"class {number}" for number in range(self.graph.classes))

    @property
    @override
    def data(self) -> str:
        return self.graph.name

    @property
    @override
    def training_examples(self) -> int:
        return len(self.graph.train)

    @override
    def build(self, architecture: Architecture) -> nn.Module:
        return exported_network(self.graph, self.space.designs(architecture))

    @override
    def example_inputs(self, architecture: Architecture) -> Mapping[str, Tensor]:
        return {INPUT_NAME: torch.from_numpy(self.graph.features)}

    @override
    def train(
        self,
        architecture: Architecture,
        *,
        checkpoint: Path,
        epochs: int | None = None,
        short: bool = False,
        on_progress: OnProgress = ignore_progress,
    ) -> Trained:
        def of_this_one(moment: Progress) -> None:
            on_progress(replace(moment, stage=f"train {architecture.id}"))

        started = time.perf_counter()
        most = epochs or self.options.training.epochs_of_winner(self.training_examples)
        network, trained = self._training(architecture).run(most, checkpoint, of_this_one)
        return Trained(network, self.evaluate(architecture, network), trained, time.perf_counter() - started)

    @override
    def load(self, architecture: Architecture, checkpoint: Path) -> nn.Module:
        return self._training(architecture).load(checkpoint)

    @override
    def evaluate(
        self, architecture: Architecture, module: nn.Module, *, split: Split = "validation", limit: int | None = None
    ) -> Quality:
        found, nodes = accuracy(module, self.graph, split, limit)
        return Quality({"accuracy": found}, "accuracy", nodes)

    @override
    def describe(self) -> dict[str, Any]:
        size = self.graph.size
        return {
            "task": "node classification",
            "data": self.data,
            "classes": list(self.classes),
            "nodes": size.nodes,
            "features": size.features,
            "graph_sha256": self.graph.fingerprint,
        }

    @property
    @override
    def fingerprint(self) -> str:
        return self.graph.fingerprint

    @property
    @override
    def data_fingerprint(self) -> str:
        return self.graph.fingerprint

    def _training(self, architecture: Architecture) -> Training:
        return Training(self.graph, self.space.designs(architecture), Recipe(), self.options.seed)
