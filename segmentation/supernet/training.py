"""Training of a supernet: sandwich rule and in-place distillation. Importing this module loads torch.

Every step trains several nets on the same images (Yu & Huang, arXiv 1903.05134: the largest, the smallest and random
ones); the others learn from the first one's logits, or all from a teacher's. The caller samples the nets, so that only
nets within the budgets cost training time.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random

import torch
from torch import Tensor, nn

from foundation.errors import UserError
from foundation.interruption import uninterrupted
from foundation.progress import ignore_progress
from segmentation.data.source import DataSource
from segmentation.evaluation import resized, resized_masks
from segmentation.losses import distillation, distillation_from_probabilities, segmentation_loss
from segmentation.networks.plan import Plan
from segmentation.normalisation import normalise
from segmentation.supernet.supernet import Supernet
from segmentation.training.checkpoint import WEIGHTS, TrainedParts, damage_told, load_checkpoint
from segmentation.training.loop import OnTrainingProgress, TrainingProgress, apply_gradients, saved_on_interrupt
from segmentation.training.processor import computed_on, fast_layout, processor
from segmentation.training.settings import warm_up_cosine
from segmentation.training.teaching import NO_TEACHING, Batch, Teaching

_logger = logging.getLogger(__name__)

Draw = tuple[Plan, tuple[int, int]]
"""A net and its input size (height, width)."""
SampleNets = Callable[[Random], Sequence[Draw]]
"""Nets to train in one step; without a teacher the others learn from the first, which should be the largest."""


@dataclass(frozen=True, slots=True)
class SupernetSettings:
    """How a supernet is trained."""

    steps: int = 300
    batch_size: int = 8
    learning_rate: float = 1e-2
    """Highest one, reached after a tenth of the steps."""
    weight_decay: float = 1e-4
    distillation_weight: float = 0.5
    """Share of the distillation in the loss; the rest is the loss against the masks."""
    temperature: float = 2.0
    teacher_size: tuple[int, int] | None = None
    """Height and width of the teacher's input; by default the images' own."""
    gradient_norm: float = 1.0
    """Largest norm of all gradients together; larger ones are scaled down."""
    checkpoint_every: int = 50
    """Steps from one checkpoint to the next."""
    seed: int = 0
    device: str = "cpu"
    """As of a full training's settings."""

    def rate(self, step: int) -> float:
        """Learning rate of a step (from 0)."""
        return self.learning_rate * warm_up_cosine(step, self.steps, max(1, self.steps // 10))


def train_supernet(
    supernet: Supernet,
    source: DataSource,
    sample: SampleNets,
    settings: SupernetSettings,
    *,
    teacher: nn.Module | None = None,
    teaching: Teaching = NO_TEACHING,
    checkpoint: Path | None = None,
    on_progress: OnTrainingProgress = ignore_progress,
) -> list[float]:
    """Trains in place; returns the losses of the steps of this call (empty where all had been done before).

    Images and masks of each step, and the random generator given to ``sample``, depend on seed and step only: a resumed
    training ends with the same weights as an uninterrupted one.

    Args:
        supernet: what is trained.
        source: its training part is used.
        sample: samples the nets of a step; at least one.
        settings: amounts and rates.
        teacher: its logits, in evaluation mode, are learned too; its weights are not changed.
        teaching: a teacher's stored outputs instead, and photographs without masks.
        checkpoint: file to save to, every ``checkpoint_every`` steps, at the end and on Ctrl-C; where it exists, the
            training continues from it.
        on_progress: called after each step.

    Raises:
        UserError: no training pairs, no net from ``sample``, no such device, or a checkpoint of another training or of
            other data.
        KeyboardInterrupt: on Ctrl-C, after the running step was finished and saved.
    """
    device = processor(settings.device)
    with computed_on(device, supernet, teacher):
        training = SupernetTraining(supernet, source, settings, teacher, teaching, device)
        return _losses(training, sample, checkpoint, on_progress)


def _losses(
    training: SupernetTraining, sample: SampleNets, checkpoint: Path | None, on_progress: OnTrainingProgress
) -> list[float]:
    settings = training.settings
    first = training.restore(checkpoint) if checkpoint is not None and checkpoint.exists() else 0
    losses: list[float] = []

    def save() -> None:
        if checkpoint is not None:
            training.save(checkpoint, first + len(losses))

    with saved_on_interrupt(save):
        for step in range(first, settings.steps):
            with uninterrupted():
                losses.append(training.step(step, sample))
            done = step + 1
            if done == settings.steps or done % settings.checkpoint_every == 0:
                save()
            note, rate = f"loss {losses[-1]:.3f}", settings.rate(step)
            on_progress(TrainingProgress("supernet", done, settings.steps, note, loss=losses[-1], learning_rate=rate))
    return losses


@dataclass
class SupernetTraining:
    """The state of a training and its steps, for those that do something else between two steps."""

    supernet: Supernet
    source: DataSource
    settings: SupernetSettings
    teacher: nn.Module | None
    teaching: Teaching
    device: torch.device

    def __post_init__(self) -> None:
        if self.teacher is not None:
            self.teacher.eval()
        if not len(self.source.train):
            raise UserError("training data", seen="no pairs", expected="at least one", remedy="check the data source")
        rate, decay = self.settings.learning_rate, self.settings.weight_decay
        self.optimiser = torch.optim.AdamW(self.supernet.parameters(), lr=rate, weight_decay=decay, fused=True)
        self.parts = TrainedParts({WEIGHTS: self.supernet}, self.optimiser, self.source)

    @property
    def identity(self) -> str:
        """What must be the same in a resumed training."""
        settings = asdict(self.settings)
        del settings["checkpoint_every"], settings["device"]
        taught_by = {"taught_by": self.teaching.identity} if self.teaching.identity else {}
        teacher = self.teacher is not None
        return json.dumps({**settings, "classes": self.supernet.classes, "teacher": teacher, **taught_by})

    def save(self, path: Path, steps_done: int) -> None:
        """Writes weights, state of the optimiser and the number of steps."""
        self.parts.save(path, {"step": steps_done, "identity": self.identity})

    def restore(self, path: Path) -> int:
        """Loads the state that a checkpoint holds; returns the steps done."""
        tensors, document = load_checkpoint(path)
        identity = document.get("identity", "no settings")
        if identity != self.identity:
            raise UserError(
                f"checkpoint {path.name}", seen=identity, expected=f"a training with {self.identity}",
                remedy="delete the file to train from the start",
            )  # fmt: skip
        with damage_told(path):
            self.parts.restore(path, _with_present_names(tensors, self.supernet), document)
            _logger.info("resumed %s after %d of %d steps", path, document["step"], self.settings.steps)
            return int(document["step"])

    def step(self, step: int, sample: SampleNets) -> float:
        """One update (from 0) by the nets of ``sample``; their mean loss against the masks."""
        rng = Random(f"{self.settings.seed} {step}")
        batch = self._batch(rng)
        draws = sample(rng)
        if not draws:
            raise UserError("nets to train", seen="none", expected="at least one", remedy="widen the budgets")
        targets = None if self.teacher is None else self._teacher_logits(batch.images)
        self.optimiser.zero_grad(set_to_none=True)
        losses = []
        for plan, size in draws:
            logits, loss = self._train(plan, size, batch, targets, share=1 / len(draws))
            targets = logits if targets is None else targets
            losses.append(loss)
        rate = self.settings.rate(step)
        apply_gradients(self.optimiser, learning_rate=rate, largest_norm=self.settings.gradient_norm)
        return math.fsum(losses) / len(losses)

    def _batch(self, rng: Random) -> Batch:
        """The pictures of a step, normalised."""
        labelled, unlabelled = (
            rng.sample(range(count), min(self.settings.batch_size, count)) if count else []
            for count in (len(self.source.train), self.teaching.count)
        )
        batch = self.teaching.batch(self.source, labelled, unlabelled).on(self.device)
        return replace(batch, images=normalise(batch.images).contiguous(memory_format=fast_layout(self.device)))

    def _teacher_logits(self, images: Tensor) -> Tensor:
        assert self.teacher is not None
        size = self.settings.teacher_size or tuple(images.shape[-2:])
        with torch.no_grad():
            logits: Tensor = self.teacher(resized(images, size))
        return logits

    def _train(
        self, plan: Plan, size: tuple[int, int], batch: Batch, targets: Tensor | None, *, share: float
    ) -> tuple[Tensor, float]:
        """Adds one net's gradients; its logits and its loss against the masks."""
        logits = self.supernet(resized(batch.images, size), plan)
        hard = segmentation_loss(logits, resized_masks(batch.masks, size))
        loss = hard
        soft = self._distillation(logits, batch, targets)
        if soft is not None:
            weight = self.settings.distillation_weight
            loss = (1 - weight) * hard + weight * soft
        (loss * share).backward()  # type: ignore[no-untyped-call]
        return logits.detach(), float(hard.detach())

    def _distillation(self, logits: Tensor, batch: Batch, targets: Tensor | None) -> Tensor | None:
        """The loss against a teacher's stored outputs, else against ``targets`` (logits), where there are any."""
        temperature = self.settings.temperature
        if batch.probabilities is not None:
            soft = resized(batch.probabilities, tuple(logits.shape[-2:]))
            return distillation_from_probabilities(logits, soft, temperature=temperature)
        return None if targets is None else distillation(logits, targets, temperature=temperature)


def _with_present_names(tensors: dict[str, Tensor], supernet: Supernet) -> dict[str, Tensor]:
    """Tensors of a first-release checkpoint, ``weight|NAME`` and ``optimizer|ENTRY|NAME``, by their present names."""
    position = {name: number for number, (name, _) in enumerate(supernet.named_parameters())}

    def present(key: str) -> str:
        kind, *rest = key.split("|")
        if kind == "weight":
            return WEIGHTS + rest[0]
        return f"optimiser.{position.get(rest[1], -1)}.{rest[0]}" if kind == "optimizer" else key

    return {present(key): value for key, value in tensors.items()}
