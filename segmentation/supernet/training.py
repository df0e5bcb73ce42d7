"""Training of a supernet: sandwich rule and in-place distillation. Importing this module loads torch.

Every step trains several nets on the same images (Yu & Huang, arXiv 1903.05134: the largest, the smallest and random
ones); the others learn from the first one's logits, or all from a teacher's. Which nets is the caller's affair, so
that only nets which keep their budgets cost training time.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Dataset

from foundation.errors import UserError
from foundation.interruption import uninterrupted
from segmentation.data.source import batch_of
from segmentation.losses import distillation, segmentation_loss
from segmentation.networks.plan import Plan
from segmentation.normalisation import normalise
from segmentation.supernet.checkpoint import load_checkpoint, save_checkpoint
from segmentation.supernet.supernet import Supernet

Draw = tuple[Plan, tuple[int, int]]
"""A net and its input size (height, width)."""
SampleNets = Callable[[Random], Sequence[Draw]]
"""Nets to train in one step; the first, best the largest, teaches the others where there is no teacher."""


@dataclass(frozen=True, slots=True)
class SupernetSettings:
    """How a supernet is trained."""

    steps: int = 300
    batch_size: int = 8
    learning_rate: float = 1e-2
    """Highest one; it rises over the first tenth of the steps and falls along a cosine."""
    weight_decay: float = 1e-4
    distillation_weight: float = 0.5
    """Share of the distillation in the loss; the masks have the rest."""
    temperature: float = 2.0
    teacher_size: tuple[int, int] | None = None
    """Height and width at which the teacher sees the images; the images' own by default."""
    gradient_norm: float = 1.0
    checkpoint_every: int = 50
    """Steps from one checkpoint to the next."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class SupernetProgress:
    """Told after each step."""

    step: int
    steps: int
    loss: float
    """Mean over the step's nets, of the loss against the masks."""
    seconds: float


def train_supernet(
    supernet: Supernet,
    dataset: Dataset[tuple[Tensor, Tensor]],
    sample: SampleNets,
    settings: SupernetSettings,
    *,
    teacher: nn.Module | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    on_progress: Callable[[SupernetProgress], None] | None = None,
) -> list[float]:
    """Trains in place; returns the losses of the steps done in this call (empty where all had been done before).

    Images and masks of each step, and the source of chance given to ``sample``, depend on seed and step only: a resumed
    training ends with the same weights as one in a single go.

    Args:
        supernet: what is trained.
        dataset: sized; items are an image (float32 3 x height x width in 0..1) and a mask (int64 height x width).
        sample: draws the nets of a step; at least one.
        settings: how.
        teacher: its logits, in evaluation mode, are learned too; weights are not changed.
        checkpoint: file to save to, every ``checkpoint_every`` steps, at the end and on Ctrl-C.
        resume: go on from ``checkpoint`` where it exists.
        on_progress: told after each step.

    Raises:
        UserError: an empty data set, no net from ``sample``, or a checkpoint of another training.
        KeyboardInterrupt: on Ctrl-C, after the running step was finished and saved.
    """
    training = _Training(supernet, dataset, settings, teacher)
    first = training.restore(checkpoint) if resume and checkpoint is not None and checkpoint.exists() else 0
    losses: list[float] = []
    started = time.perf_counter()
    try:
        for step in range(first, settings.steps):
            with uninterrupted():
                losses.append(training.step(step, sample))
            last = step + 1 == settings.steps
            if checkpoint is not None and (last or (step + 1) % settings.checkpoint_every == 0):
                training.save(checkpoint, step + 1)
            if on_progress is not None:
                seconds = time.perf_counter() - started
                on_progress(SupernetProgress(step + 1, settings.steps, losses[-1], seconds))
    except KeyboardInterrupt:
        if checkpoint is not None:
            training.save(checkpoint, first + len(losses))
        raise
    return losses


class _Training:
    def __init__(
        self,
        supernet: Supernet,
        dataset: Dataset[tuple[Tensor, Tensor]],
        settings: SupernetSettings,
        teacher: nn.Module | None,
    ) -> None:
        self.supernet = supernet
        self.dataset = dataset
        self.settings = settings
        self.teacher = None if teacher is None else teacher.eval()
        self.count = len(dataset)  # type: ignore[arg-type]  # torch's Dataset does not promise a length
        if self.count < 1:
            raise UserError("training data", seen="no pairs", expected="at least one", remedy="check the data source")
        self.optimizer = torch.optim.AdamW(
            supernet.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )

    @property
    def identity(self) -> str:
        """What must be the same in a resumed training."""
        settings = asdict(self.settings)
        del settings["checkpoint_every"]
        return json.dumps({**settings, "classes": self.supernet.classes, "teacher": self.teacher is not None})

    def save(self, path: Path, steps_done: int) -> None:
        save_checkpoint(path, self.supernet, self.optimizer, steps_done, self.identity)

    def restore(self, path: Path) -> int:
        return load_checkpoint(path, self.supernet, self.optimizer, self.identity)

    def step(self, step: int, sample: SampleNets) -> float:
        rng = Random(f"{self.settings.seed} {step}")
        images, masks = self._batch(rng)
        draws = sample(rng)
        if not draws:
            raise UserError("nets to train", seen="none", expected="at least one", remedy="widen the budgets")
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(step, self.settings)
        soft = None if self.teacher is None else self._teach(images)
        self.optimizer.zero_grad(set_to_none=True)
        losses = []
        for plan, size in draws:
            logits, loss = self._train(plan, size, images, masks, soft, share=1 / len(draws))
            soft = logits if soft is None else soft
            losses.append(loss)
        nn.utils.clip_grad_norm_(self.supernet.parameters(), self.settings.gradient_norm)
        self.optimizer.step()
        return math.fsum(losses) / len(losses)

    def _batch(self, rng: Random) -> tuple[Tensor, Tensor]:
        indices = rng.sample(range(self.count), min(self.settings.batch_size, self.count))
        images, masks = batch_of(self.dataset, indices)
        # Channels last: depthwise convolutions train up to 1.5 times as fast on a CPU.
        return normalise(images).contiguous(memory_format=torch.channels_last), masks

    def _teach(self, images: Tensor) -> Tensor:
        assert self.teacher is not None
        size = self.settings.teacher_size or tuple(images.shape[-2:])
        with torch.no_grad():
            logits: Tensor = self.teacher(resize_images(images, size))
        return logits

    def _train(
        self, plan: Plan, size: tuple[int, int], images: Tensor, masks: Tensor, soft: Tensor | None, *, share: float
    ) -> tuple[Tensor, float]:
        """Adds one net's gradients; its logits and its loss against the masks."""
        logits = self.supernet(resize_images(images, size), plan)
        hard = segmentation_loss(logits, resize_masks(masks, size))
        loss = hard
        if soft is not None:
            weight = self.settings.distillation_weight
            loss = (1 - weight) * hard + weight * distillation(logits, soft, temperature=self.settings.temperature)
        (loss * share).backward()  # type: ignore[no-untyped-call]
        return logits.detach(), float(hard.detach())


def learning_rate(step: int, settings: SupernetSettings) -> float:
    """Rises linearly over the first tenth of the steps, then falls along half a cosine to nearly nothing."""
    warm_up = max(1, settings.steps // 10)
    if step < warm_up:
        return settings.learning_rate * (step + 1) / warm_up
    progress = (step - warm_up) / max(1, settings.steps - warm_up)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


def resize_images(images: Tensor, size: tuple[int, ...]) -> Tensor:
    """Images (batch x 3 x height x width) at height and width ``size``, smoothed when made smaller."""
    if tuple(images.shape[-2:]) == tuple(size):
        return images
    return functional.interpolate(images, size=list(size), mode="bilinear", align_corners=False, antialias=True)


def resize_masks(masks: Tensor, size: tuple[int, ...]) -> Tensor:
    """Masks (batch x height x width, int64) at height and width ``size``, by the nearest pixel."""
    if tuple(masks.shape[-2:]) == tuple(size):
        return masks
    # Class numbers, 255 at most, are exact in float32.
    return functional.interpolate(masks.unsqueeze(1).float(), size=list(size), mode="nearest-exact").squeeze(1).long()
