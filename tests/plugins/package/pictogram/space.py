"""Small convolutional networks that give a picture one class."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import prod
from random import Random
from typing import TYPE_CHECKING

from pydantic import Field
from typing_extensions import override

from foundation.errors import UserError
from foundation.plugin_options import PluginOptions
from latency.operators.builders import convolution, global_average_pool
from latency.operators.operator import OperatorGraph, Shape
from search.architecture import Architecture
from search.spaces.space import SearchSpace, Slot

if TYPE_CHECKING:
    from search.tasks.task import Task, TaskOptions

WIDTHS = (4, 6, 8, 12, 16, 24)
KERNELS = (1, 3, 5)
DEPTHS = (1, 2, 3, 4)
SLOTS = (
    Slot("stem", len(WIDTHS), ordered=True, labels=tuple(map(str, WIDTHS))),
    Slot("depth", len(DEPTHS), ordered=True, labels=tuple(map(str, DEPTHS))),
    Slot("width", len(WIDTHS), ordered=True, labels=tuple(map(str, WIDTHS))),
    Slot("kernel", len(KERNELS), ordered=True, labels=tuple(map(str, KERNELS))),
)


class PictogramSpace(SearchSpace):
    """A stem, ``depth`` convolutions, global pooling and a classifier."""

    name = "pictogram"

    class Options(PluginOptions):
        """Options of the space."""

        side: int = Field(default=16, ge=4)
        """Height and width of the input."""

    def __init__(self, classes: int = 2, *, side: int = 16) -> None:
        super().__init__(classes)
        self.side = side

    @property
    @override
    def slots(self) -> tuple[Slot, ...]:
        return SLOTS

    @override
    def size(self) -> int:
        return prod(slot.choices for slot in SLOTS)

    @override
    def sample(self, count: int, rng: Random) -> list[Architecture]:
        first = rng.randrange(len(DEPTHS))
        drawn = [{slot.name: rng.randrange(slot.choices) for slot in SLOTS} for _ in range(count)]
        return [_architecture({**each, "depth": (first + i) % len(DEPTHS)}) for i, each in enumerate(drawn)]

    @override
    def nearest(self, choices: Mapping[str, int]) -> Architecture:
        return _architecture(choices)

    @override
    def mutate(self, architecture: Architecture, rng: Random) -> Architecture:
        changed = {}
        for slot in rng.sample(SLOTS, rng.choice((1, 2))):
            others = [choice for choice in range(slot.choices) if choice != architecture[slot.name]]
            changed[slot.name] = rng.choice(others)
        return architecture.replaced(changed)

    @override
    def crossover(self, first: Architecture, second: Architecture, rng: Random) -> Architecture:
        return _architecture({slot.name: rng.choice((first, second))[slot.name] for slot in SLOTS})

    @override
    def smaller(self, architecture: Architecture) -> list[Architecture]:
        return [architecture.replaced({slot: choice - 1}) for slot, choice in architecture.choices if choice > 0]

    @override
    def smallest(self) -> list[Architecture]:
        return [_architecture(dict.fromkeys((slot.name for slot in SLOTS), 0))]

    @override
    def validate(self, architecture: Architecture) -> None:
        choices = dict(architecture.choices)
        known = architecture.space == self.name and list(choices) == [slot.name for slot in SLOTS]
        if not known or not all(0 <= choices[slot.name] < slot.choices for slot in SLOTS):
            raise UserError(
                "architecture", seen=architecture.to_json(), expected="one of pictogram", remedy="sample the space"
            )

    @override
    def parameters(self, architecture: Architecture) -> int:
        return self.lower(architecture).parameters

    @override
    def lower(self, architecture: Architecture) -> OperatorGraph:
        shape: Shape = (1, 3, self.side, self.side)
        operators = []
        for _, out_channels, kernel, stride in self.convolutions(architecture):
            operators.append(
                convolution(shape, out_channels, kernel=(kernel, kernel), strides=(stride, stride), activation="relu")
            )
            shape = operators[-1].output_shapes[0]
        operators.append(global_average_pool(shape))
        operators.append(convolution(operators[-1].output_shapes[0], self.classes, kernel=(1, 1)))
        reads = tuple((position - 1,) for position in range(len(operators)))
        return OperatorGraph(tuple(operators), reads, ((1, 3, self.side, self.side),))

    def convolutions(self, architecture: Architecture) -> list[tuple[int, int, int, int]]:
        """Input channels, output channels, kernel and stride of each convolution before the pooling."""
        stem, width = WIDTHS[architecture["stem"]], WIDTHS[architecture["width"]]
        kernel, depth = KERNELS[architecture["kernel"]], DEPTHS[architecture["depth"]]
        channels = [stem] + [width] * depth
        return [(3, stem, 3, 2), *((before, after, kernel, 1) for before, after in pairwise(channels))]

    @override
    def make_task(self, options: TaskOptions) -> Task:
        from .task import PictureTask

        return PictureTask(self, options)


def _architecture(choices: Mapping[str, int]) -> Architecture:
    return Architecture(PictogramSpace.name, tuple((slot.name, choices[slot.name]) for slot in SLOTS))
