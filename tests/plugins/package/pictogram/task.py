"""Classification of whole pictures."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from foundation.atomic_file import write_file
from foundation.errors import UserError
from foundation.progress import OnProgress, Progress, ignore_progress
from search.architecture import Architecture
from search.tasks.task import Quality, Split, Task, TaskOptions, Trained
from segmentation.data.contact_sheet import contact_sheet
from segmentation.data.registry import open_source
from segmentation.data.source import DataSource, batch_of

from .space import PictogramSpace


class PictureTask(Task):
    """The class of a picture is that of most of its pixels."""

    def __init__(self, space: PictogramSpace, options: TaskOptions) -> None:
        self.space = space
        self.options = options

    @cached_property
    def source(self) -> DataSource:
        """The data at the network's input size."""
        data, side = self.options.data, self.space.side
        return open_source(data.source, seed=self.options.seed, count=data.count, size=(side, side))

    @property
    @override
    def classes(self) -> tuple[str, ...]:
        return self.source.classes

    @property
    @override
    def data(self) -> str:
        return self.source.name

    @property
    @override
    def training_examples(self) -> int:
        return len(self._examples("train")[1])

    @override
    def build(self, architecture: Architecture) -> nn.Module:
        layers: list[nn.Module] = []
        channels = 3
        for before, channels, kernel, stride in self.space.convolutions(architecture):
            layers += [nn.Conv2d(before, channels, kernel, stride, padding=kernel // 2), nn.ReLU()]
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, self.space.classes, 1))

    @override
    def example_inputs(self, architecture: Architecture) -> Mapping[str, Tensor]:
        return {"picture": torch.zeros(1, 3, self.space.side, self.space.side)}

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
        start, epochs = time.perf_counter(), epochs or self.options.training.epochs_of_winner(self.training_examples)
        torch.manual_seed(self.options.seed)
        module = self.build(architecture)
        done = self._restore(module, architecture, checkpoint)[0] if checkpoint.exists() else 0
        images, labels = self._examples("train")
        optimiser = torch.optim.SGD(module.parameters(), lr=0.3)
        for epoch in range(done, epochs):
            order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(epoch))
            batches = order.split(self.options.training.batch_size)
            for step, batch in enumerate(batches, start=1):
                optimiser.zero_grad()
                functional.cross_entropy(module(images[batch]).flatten(1), labels[batch]).backward()
                nn.utils.clip_grad_norm_(module.parameters(), 1.0)
                optimiser.step()
                on_progress(Progress(f"train {architecture.id}", epoch * len(batches) + step, epochs * len(batches)))
            about = {"architecture": architecture.id, "done": str(epoch + 1), "epochs": str(epochs)}
            write_file(checkpoint, save(module.state_dict(), about))
        quality = self.evaluate(architecture, module.eval())
        return Trained(module, quality, epochs, time.perf_counter() - start)

    @override
    def load(self, architecture: Architecture, checkpoint: Path) -> nn.Module:
        module = self.build(architecture)
        done, epochs = self._restore(module, architecture, checkpoint)
        if done < epochs:
            raise UserError(
                str(checkpoint), seen=f"{done} epochs", expected=f"{epochs} epochs", remedy="run `latseg train`"
            )
        return module.eval()

    @override
    def evaluate(
        self, architecture: Architecture, module: nn.Module, *, split: Split = "validation", limit: int | None = None
    ) -> Quality:
        images, labels = self._examples(split)
        images, labels = images[:limit], labels[:limit]
        with torch.no_grad():
            right = module(images).flatten(1).argmax(1) == labels
        return Quality({"accuracy": float(right.float().mean())}, "accuracy", len(labels))

    @override
    def describe(self) -> dict[str, Any]:
        return {"task": "picture classification", "data": self.data, "classes": list(self.classes)}

    @override
    def first_look(self, *, photographs: bool = True) -> bytes:
        return contact_sheet(self.source, photographs=photographs)

    def _examples(self, split: Split) -> tuple[Tensor, Tensor]:
        images, masks = batch_of(part := getattr(self.source, split), range(len(part)))
        return 4 * (images - 0.5), masks.flatten(1).mode(1).values

    @staticmethod
    def _restore(module: nn.Module, architecture: Architecture, checkpoint: Path) -> tuple[int, int]:
        """Loads the weights; epochs that were trained, and epochs that were wanted."""
        try:
            with safe_open(checkpoint, "pt") as file:
                about = file.metadata()
                weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, ValueError) as error:
            raise UserError(
                str(checkpoint), seen=error, expected="a checkpoint", remedy="run `latseg train`"
            ) from error
        if about["architecture"] != architecture.id:
            raise UserError(
                str(checkpoint), seen=about["architecture"], expected=architecture.id, remedy="name another file"
            )
        module.load_state_dict(weights)
        return int(about["done"]), int(about["epochs"])
