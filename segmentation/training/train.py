"""Full training of one network: cross-entropy and Dice, distillation from a teacher, a moving average of the weights.

Importing this module loads torch.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import PARAM_LIST, AveragedModel

from foundation.errors import UserError
from foundation.evaluation_mode import evaluation_mode
from foundation.interruption import uninterrupted
from foundation.progress import ignore_progress
from segmentation.data.source import DataSource
from segmentation.evaluation import evaluate, resized, resized_masks
from segmentation.losses import distillation, distillation_from_probabilities, segmentation_loss
from segmentation.metrics import Quality
from segmentation.networks.network import Network
from segmentation.networks.teacher import teacher_plan
from segmentation.normalisation import normalise
from segmentation.pretrained.weights import start_from
from segmentation.training.augmentation import Augmentation
from segmentation.training.loop import OnTrainingProgress, TrainingProgress, apply_gradients, saved_on_interrupt
from segmentation.training.order import drawn, epoch_order, generator
from segmentation.training.processor import computed_on, fast_layout, processor
from segmentation.training.settings import TrainSettings
from segmentation.training.state import EpochRecord, TrainingState
from segmentation.training.teaching import NO_TEACHING, Batch, Teaching
from segmentation.training.threads import torch_threads

_MAX_GRADIENT_NORM = 5.0

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The trained network (weights of the moving average, evaluation mode) and its quality on the validation part."""

    network: nn.Module
    quality: Quality
    epochs: int
    steps: int
    checkpoint: Path | None
    seconds: float
    history: tuple[EpochRecord, ...]


def train(
    network: nn.Module,
    source: DataSource,
    settings: TrainSettings,
    *,
    teacher: nn.Module | None = None,
    teaching: Teaching = NO_TEACHING,
    checkpoint: Path | None = None,
    on_progress: OnTrainingProgress = ignore_progress,
) -> TrainingResult:
    """Trains ``network`` in place; afterwards it has the weights of the moving average, and is on the CPU.

    The checkpoint is written after every epoch that is evaluated and on Ctrl-C. Training continues from an existing
    checkpoint and ends with the same weights as without the interruption. The teacher is not changed; it sees the same
    images as the network. Beside the labelled pictures of a batch are as many photographs without masks, where
    ``teaching`` has some; they count in the distillation alone.

    Raises:
        UserError: settings or data differ from the checkpoint's, a file cannot be read or written, the loss is no
            longer finite, or there is no such device.
        KeyboardInterrupt: on Ctrl-C, after the checkpoint was written.
    """
    device = processor(settings.device)
    with computed_on(device, network, teacher):
        _lay_out(network, fast_layout(device))
        run = _Run(_new_state(network, source, settings, teaching), teacher, teaching, device)
        result = _trained(run, checkpoint, on_progress)
        _lay_out(network, torch.contiguous_format)
    return result


def _trained(run: _Run, checkpoint: Path | None, on_progress: OnTrainingProgress) -> TrainingResult:
    state, settings = run.state, run.state.settings
    if checkpoint is not None and checkpoint.exists():
        state.restore(checkpoint)

    def save() -> None:
        if checkpoint is not None:
            state.save(checkpoint)

    with torch_threads(settings.threads), saved_on_interrupt(save):
        while len(state.history) < run.epochs:
            run.epoch(on_progress)
            if len(state.history) % settings.evaluate_every == 0 or len(state.history) == run.epochs:
                save()
    state.network.load_state_dict(state.average.module.state_dict())
    state.network.eval()
    assert state.quality is not None  # the last epoch is always evaluated
    return TrainingResult(
        state.network, state.quality, len(state.history), run.steps, checkpoint, state.seconds, tuple(state.history)
    )


def trained_teacher(
    source: DataSource,
    settings: TrainSettings,
    *,
    checkpoint: Path | None,
    pretrained: bool = False,
    on_progress: OnTrainingProgress = ignore_progress,
) -> TrainingResult:
    """The teacher, trained at ``settings.input_size`` (multiples of its stride); resumed from the checkpoint.

    ``pretrained`` begins with the weights that ship with the package.

    Raises:
        UserError: as ``train``.
    """
    torch.manual_seed(settings.seed)
    network = Network(teacher_plan(len(source.classes)))
    if pretrained:
        start_from(network, "teacher")
    return train(network, source, settings, checkpoint=checkpoint, on_progress=on_progress)


@dataclass(frozen=True, slots=True)
class _Run:
    state: TrainingState
    teacher: nn.Module | None
    teaching: Teaching
    device: torch.device

    @property
    def per_epoch(self) -> int:
        """Updates of an epoch."""
        return max(1, len(self.state.source.train) // self.state.settings.batch_size)

    @property
    def steps(self) -> int:
        """Updates of the whole training."""
        return self.state.settings.steps or self.state.settings.epochs * self.per_epoch

    @property
    def epochs(self) -> int:
        """Number of epochs; the last one may be shorter."""
        return -(-self.steps // self.per_epoch)

    def epoch(self, on_progress: OnTrainingProgress) -> None:
        """Trains to the end of the running epoch and evaluates it."""
        state = self.state
        state.network.train()
        end = min(self.steps, (len(state.history) + 1) * self.per_epoch)
        while state.step < end:
            with uninterrupted():  # the forward pass changes statistics of batch normalisation
                loss = self._update()
            if state.step < end:
                on_progress(self._progress(loss))
        loss = state.losses[-1]
        self._finish_epoch()
        on_progress(self._progress(loss, mean_iou=state.history[-1].mean_iou))

    def _update(self) -> float:
        state = self.state
        loss = self._loss(self._batch())
        value = float(loss.detach())
        if not math.isfinite(value):
            raise UserError(
                f"training loss at step {state.step}", seen=value, expected="a finite number",
                remedy="lower the learning rate",
            )  # fmt: skip
        state.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        rate = state.settings.rate(state.step, self.steps)
        apply_gradients(state.optimiser, learning_rate=rate, largest_norm=_MAX_GRADIENT_NORM)
        state.average.update_parameters(state.network)
        state.step += 1
        state.losses.append(value)
        return value

    def _batch(self) -> Batch:
        """Augmented images and what is known of them, large enough for the network and for the teacher."""
        settings, source = self.state.settings, self.state.source
        epoch, position = divmod(self.state.step, self.per_epoch)
        order = epoch_order(len(source.train), settings.batch_size, generator(settings.seed, 0, epoch))
        start = position * settings.batch_size
        labelled = order[start : start + settings.batch_size]
        unlabelled = drawn(self.teaching.count, self.state.step, settings.batch_size, settings.seed)
        batch = self.teaching.batch(source, labelled, unlabelled).on(self.device)
        size = _larger(settings.input_size, settings.teacher_input_size if self.teacher is not None else None)
        batch = replace(batch, images=resized(batch.images, size), masks=resized_masks(batch.masks, size))
        if not settings.augment:
            return batch
        augmentation = Augmentation() if source.mirrors else Augmentation(mirror=0.0)
        random = generator(settings.seed, 1, self.state.step, self.device)
        return augmentation.of_batch(batch, random, source.flip_swaps)

    def _loss(self, batch: Batch) -> Tensor:
        settings = self.state.settings
        inputs = normalise(resized(batch.images, settings.input_size))
        logits = self.state.network(inputs.contiguous(memory_format=fast_layout(self.device)))
        masks = resized_masks(batch.masks, settings.input_size)
        loss = segmentation_loss(logits, masks, dice_weight=settings.dice_weight)
        return loss + settings.distillation_weight * self._distillation(logits, batch)

    def _distillation(self, logits: Tensor, batch: Batch) -> Tensor | float:
        """What the network still has to learn from its teachers; 0 where there are none."""
        settings = self.state.settings
        if settings.distillation_weight == 0:
            return 0.0
        if batch.probabilities is not None:
            soft = resized(batch.probabilities, settings.input_size)
            return distillation_from_probabilities(logits, soft, temperature=settings.temperature)
        if self.teacher is None:
            return 0.0
        with evaluation_mode(self.teacher), torch.no_grad():
            size = settings.teacher_input_size or settings.input_size
            targets = self.teacher(normalise(resized(batch.images, size)))
        return distillation(logits, targets, temperature=settings.temperature)

    def _finish_epoch(self) -> None:
        state, settings = self.state, self.state.settings
        last = state.step == self.steps
        number, mean_iou = len(state.history) + 1, None
        if last or number % settings.evaluate_every == 0:
            limit = None if last else settings.evaluate_limit
            quality = evaluate(state.average.module, state.source.validation, settings.input_size, limit=limit)
            state.quality, mean_iou = quality, quality.mean_iou
        with uninterrupted():
            state.history.append(EpochRecord(number, sum(state.losses) / len(state.losses), mean_iou))
            state.losses.clear()
        _logger.debug("epoch %d of %d: %s", number, self.epochs, state.history[-1])

    def _progress(self, loss: float, mean_iou: float | None = None) -> TrainingProgress:
        state = self.state
        return TrainingProgress(
            "training",
            state.step,
            self.steps,
            f"loss {loss:.3f}",
            state.best_mean_iou,
            mean_iou,
            loss,
            state.settings.rate(state.step - 1, self.steps),
        )


def _new_state(network: nn.Module, source: DataSource, settings: TrainSettings, teaching: Teaching) -> TrainingState:
    # Weights are matrices or kernels; biases and batch normalisation are vectors and are not decayed.
    decayed = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    free = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": free, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW([group for group in groups if group["params"]], lr=settings.learning_rate)
    average = moving_average(network, settings.ema_decay)
    return TrainingState(network, average, optimiser, settings, source, teaching.identity)


def moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """An exponential moving average of the network's weights, in evaluation mode; it is what is evaluated and kept.

    The decay of update t (from 0) is ``min(decay, (1 + t) / (10 + t))``, so that the initial weights are soon without
    influence. Running statistics of batch normalisation are moving averages already: they are copied.
    """

    def blend(average: PARAM_LIST, current: PARAM_LIST, updates: Tensor | int) -> None:
        keep = min(decay, float(updates) / (9 + float(updates)))
        torch._foreach_lerp_(average, current, 1 - keep)  # the fused form of average.lerp_(current, 1 - keep)

    average = AveragedModel(network, multi_avg_fn=blend)
    average.n_averaged.fill_(1)  # AveragedModel's own first update would drop the initial weights
    return average.eval().requires_grad_(requires_grad=False)


def _lay_out(network: nn.Module, layout: torch.memory_format) -> None:
    network.to(memory_format=layout)  # type: ignore[call-overload]  # torch's stubs leave this form out


def _larger(size: tuple[int, int], other: tuple[int, int] | None) -> tuple[int, int]:
    return size if other is None else (max(size[0], other[0]), max(size[1], other[1]))
