"""A known network at one input size, as a space of one architecture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from typing_extensions import override

from export.source import INPUT_NAME
from foundation.errors import UserError
from foundation.temporary_folder import TemporaryFolder
from latency.operators.from_onnx import from_onnx
from latency.operators.operator import OperatorGraph
from search.architecture import Architecture
from search.spaces.space import SearchSpace, Slot
from search.tasks.task import Task, TaskOptions
from segmentation.baselines.registry import NETWORKS, open_network

if TYPE_CHECKING:
    from torch import nn

_MOST_PIXELS_A_SIDE = 2**14


class KnownNetwork(SearchSpace):
    """With it a known network is trained, exported and certified as a winner is; there is nothing to search.

    Args:
        classes: channels of the logits.
        network: a name in ``segmentation.baselines.registry.NETWORKS``, with its options.
        size: height and width of the input.

    Raises:
        UserError: no such network, or options that it does not take.
    """

    name = "network"

    def __init__(self, classes: int = 2, *, network: str, size: tuple[int, int]) -> None:
        super().__init__(classes)
        NETWORKS.parse(network)
        self.architecture = Architecture(network, (("height", size[0]), ("width", size[1])))

    def build(self, architecture: Architecture) -> nn.Module:
        """The network with fresh weights."""
        return open_network(architecture.space, self.classes)

    def input_size(self, architecture: Architecture) -> tuple[int, int]:
        """Height and width of the input."""
        return architecture["height"], architecture["width"]

    @property
    @override
    def slots(self) -> tuple[Slot, ...]:
        return tuple(Slot(side, _MOST_PIXELS_A_SIDE, ordered=True) for side, _ in self.architecture.choices)

    @override
    def size(self) -> int:
        return 1

    @override
    def sample(self, count: int, rng: Random) -> list[Architecture]:
        return [self.architecture] * count

    @override
    def nearest(self, choices: Mapping[str, int]) -> Architecture:
        return self.architecture

    @override
    def mutate(self, architecture: Architecture, rng: Random) -> Architecture:
        return architecture

    @override
    def crossover(self, first: Architecture, second: Architecture, rng: Random) -> Architecture:
        return first

    @override
    def smaller(self, architecture: Architecture) -> list[Architecture]:
        return []

    @override
    def smallest(self) -> list[Architecture]:
        return [self.architecture]

    @override
    def validate(self, architecture: Architecture) -> None:
        if architecture != self.architecture:
            raise UserError(
                "architecture",
                seen=architecture.to_json(),
                expected=self.architecture.to_json(),
                remedy="name the network and its input size",
            )

    @override
    def parameters(self, architecture: Architecture) -> int:
        import torch

        with torch.device("meta"):  # without memory
            return sum(parameter.numel() for parameter in self.build(architecture).parameters())

    @override
    def lower(self, architecture: Architecture) -> OperatorGraph:
        with TemporaryFolder() as folder:
            return from_onnx(self.export(folder.path / "network.onnx"))

    def export(self, path: Path) -> Path:
        """Writes the network with fresh weights as an ONNX file."""
        import torch

        from export.to_onnx import export_module

        image = torch.zeros(1, 3, *self.input_size(self.architecture))
        return export_module(self.build(self.architecture), path, {INPUT_NAME: image})

    @override
    def make_task(self, options: TaskOptions) -> Task:
        from search.tasks.segmentation import SegmentationTask

        return SegmentationTask(self, options)
