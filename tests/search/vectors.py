"""A space and a task that have nothing to do with images: small perceptrons that classify random vectors."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from foundation.errors import UserError
from foundation.plugin_options import PluginOptions
from foundation.progress import OnProgress, Progress, ignore_progress
from latency.operators import builders
from latency.operators.operator import Operator, OperatorGraph
from search.architecture import Architecture
from search.spaces.space import SearchSpace, Slot
from search.tasks.task import Quality, Split, Task, TaskOptions, Trained

FEATURES = 8
WIDTHS = (4, 8, 16, 32)
MAX_LAYERS = 4


class VectorSpace(SearchSpace):
    """Perceptrons with up to ``layers`` hidden layers; a layer that is absent has width 0."""

    name = "vectors"

    class Options(PluginOptions):
        layers: int = MAX_LAYERS

    def __init__(self, classes: int = 2, *, layers: int = MAX_LAYERS) -> None:
        super().__init__(classes)
        self.layers = layers

    @property
    @override
    def slots(self) -> tuple[Slot, ...]:
        labels = ("absent", *map(str, WIDTHS))
        return tuple(Slot(f"layer{layer}", len(labels), ordered=True, labels=labels) for layer in range(self.layers))

    def of(self, widths: list[int]) -> Architecture:
        """The canonical architecture: absent layers come last."""
        present = [width for width in widths if width]
        present += [0] * (self.layers - len(present))
        return Architecture(self.name, tuple((f"layer{layer}", width) for layer, width in enumerate(present)))

    @override
    def size(self) -> int:
        return sum(len(WIDTHS) ** depth for depth in range(self.layers + 1))

    @override
    def sample(self, count: int, rng: Random) -> list[Architecture]:
        depths = [position % (self.layers + 1) for position in range(count)]
        return [self.of([rng.randint(1, len(WIDTHS)) for _ in range(depth)]) for depth in depths]

    @override
    def nearest(self, choices: Mapping[str, int]) -> Architecture:
        return self.of([choices[slot.name] for slot in self.slots])

    @override
    def mutate(self, architecture: Architecture, rng: Random) -> Architecture:
        mutant = architecture
        while mutant == architecture:
            widths = [width for _, width in architecture.choices]
            widths[rng.randrange(self.layers)] = rng.randint(0, len(WIDTHS))
            mutant = self.of(widths)
        return mutant

    @override
    def crossover(self, first: Architecture, second: Architecture, rng: Random) -> Architecture:
        return self.of([rng.choice((width, second[slot])) for slot, width in first.choices])

    @override
    def smaller(self, architecture: Architecture) -> list[Architecture]:
        # A layer less may cost more, where it joined two wide ones; a narrower one never does.
        widths = [width for _, width in architecture.choices]
        changed = [[*widths[:i], width - 1, *widths[i + 1 :]] for i, width in enumerate(widths) if width > 1]
        if set(widths) <= {0, 1} and any(widths):
            changed.append([])
        return [self.of(widths) for widths in changed]

    @override
    def smallest(self) -> list[Architecture]:
        return [self.of([]), self.of([1])]

    @override
    def validate(self, architecture: Architecture) -> None:
        widths = [width for _, width in architecture.choices]
        names = [slot.name for slot in self.slots]
        known = architecture.space == self.name and [name for name, _ in architecture.choices] == names
        if not known or not set(widths) <= set(range(len(WIDTHS) + 1)) or architecture != self.of(widths):
            raise UserError(
                "architecture", seen=architecture.to_json(), expected="a member of vectors", remedy="take another"
            )

    def widths(self, architecture: Architecture) -> list[int]:
        """Numbers of features, from the input to the logits."""
        hidden = [WIDTHS[width - 1] for _, width in architecture.choices if width]
        return [FEATURES, *hidden, self.classes]

    @override
    def parameters(self, architecture: Architecture) -> int:
        widths = self.widths(architecture)
        return sum(after * (before + 1) for before, after in pairwise(widths))

    @override
    def lower(self, architecture: Architecture) -> OperatorGraph:
        widths = self.widths(architecture)
        operators: list[Operator] = []
        for before, after in pairwise(widths):
            if operators:
                operators.append(builders.operator("Relu", (), [(1, before)], [(1, before)]))
            attributes = (("weight_1", (before, after)), ("weight_2", (after,)))
            parameters, flops = after * (before + 1), 2 * before * after
            shapes = [(1, before)], [(1, after)]
            operators.append(builders.operator("Gemm", attributes, *shapes, parameters=parameters, flops=flops))
        edges = tuple((position - 1,) for position in range(len(operators)))
        return OperatorGraph(tuple(operators), edges, ((1, FEATURES),))

    @override
    def make_task(self, options: TaskOptions) -> Task:
        return VectorTask(self, options)


class VectorTask(Task):
    """Which of the first features is largest; ``options.data.source`` is ``vectors:COUNT``."""

    classes = ("first", "second", "third")

    def __init__(self, space: VectorSpace, options: TaskOptions) -> None:
        self.space = space
        self.options = options

    @property
    @override
    def data(self) -> str:
        kind, _, count = self.options.data.source.partition(":")
        if kind != "vectors" or not count.isdecimal():
            raise UserError("data", seen=self.options.data.source, expected="vectors:COUNT", remedy="write vectors:64")
        return self.options.data.source

    @cached_property
    def splits(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Vectors and classes by split."""
        count = int(self.data.partition(":")[2])
        vectors = torch.randn(count, FEATURES, generator=torch.Generator().manual_seed(self.options.seed))
        truth = vectors[:, : len(self.classes)].argmax(1)
        cut = max(1, count // 4)
        parts = {"validation": slice(0, cut), "test": slice(cut, 2 * cut), "train": slice(2 * cut, None)}
        return {name: (vectors[part], truth[part]) for name, part in parts.items()}

    @property
    @override
    def training_examples(self) -> int:
        return len(self.splits["train"][1])

    @override
    def build(self, architecture: Architecture) -> nn.Module:
        widths = self.space.widths(architecture)
        parts: list[nn.Module] = []
        for before, after in pairwise(widths):
            parts += ([nn.ReLU()] if parts else []) + [nn.Linear(before, after)]
        return nn.Sequential(*parts)

    @override
    def example_inputs(self, architecture: Architecture) -> Mapping[str, Tensor]:
        return {"vector": torch.zeros(1, FEATURES)}

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
        wanted = epochs or self.options.training.epochs_of_winner(self.training_examples)
        torch.manual_seed(self.options.seed)
        module, done = self.build(architecture), 0
        if checkpoint.exists():
            state = _read(checkpoint)
            module.load_state_dict(state["weights"])
            done = state["epoch"]
        vectors, truth = self.splits["train"]
        optimiser = torch.optim.SGD(module.parameters(), lr=0.1)
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        for epoch in range(done, wanted):
            optimiser.zero_grad()
            nn.functional.cross_entropy(module(vectors), truth).backward()  # type: ignore[no-untyped-call]
            if epoch + 1 == wanted:
                on_progress(Progress(f"train {architecture.id}", wanted, wanted))
            optimiser.step()
            state = {"weights": module.state_dict(), "epoch": epoch + 1, "epochs": wanted}
            torch.save(state, checkpoint)
        return Trained(module.eval(), self.evaluate(architecture, module), wanted, 0.0)

    @override
    def load(self, architecture: Architecture, checkpoint: Path) -> nn.Module:
        state = _read(checkpoint) if checkpoint.exists() else {"epoch": 0, "epochs": 1}
        if state["epoch"] < state["epochs"]:
            raise UserError("checkpoint", seen="too few epochs", expected="all", remedy="train the net")
        module = self.build(architecture)
        module.load_state_dict(state["weights"])
        return module.eval()

    @override
    def evaluate(
        self, architecture: Architecture, module: nn.Module, *, split: Split = "validation", limit: int | None = None
    ) -> Quality:
        vectors, truth = (part[:limit] for part in self.splits[split])
        with torch.no_grad():
            right = float((module(vectors).argmax(1) == truth).float().mean())
        return Quality({"accuracy": right}, "accuracy", len(truth))

    @override
    def describe(self) -> dict[str, Any]:
        return {"task": "vectors", "data": self.data, "classes": list(self.classes)}


def _read(checkpoint: Path) -> dict[str, Any]:
    # torch.load would take a file with this suffix for one of safetensors.
    state: dict[str, Any] = torch.load(io.BytesIO(checkpoint.read_bytes()), weights_only=True)
    return state
