"""What the training loops of a network and of a supernet share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from foundation.interruption import uninterrupted
from foundation.progress import Progress


@dataclass(frozen=True, slots=True)
class TrainingProgress(Progress):
    """Reported after each update; ``done`` and ``total`` are updates, ``note`` is the loss."""

    best_mean_iou: float | None = None
    """Of the evaluations on the validation part so far; None in a training without evaluations."""
    mean_iou: float | None = None
    """On the validation part, where it was evaluated after this update."""
    loss: float | None = None
    learning_rate: float | None = None
    """Of this update."""


OnTrainingProgress = Callable[[TrainingProgress], None]


@contextmanager
def saved_on_interrupt(save: Callable[[], None]) -> Iterator[None]:
    """Saves when Ctrl-C ends the block, and passes the interrupt on."""
    try:
        yield
    except KeyboardInterrupt:
        with uninterrupted():
            save()
        raise


def apply_gradients(optimiser: torch.optim.Optimizer, *, learning_rate: float, largest_norm: float) -> None:
    """Updates the parameters at this learning rate, gradients scaled down together to ``largest_norm`` at most."""
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    nn.utils.clip_grad_norm_(parameters, largest_norm)
    for group in optimiser.param_groups:
        group["lr"] = learning_rate
    optimiser.step()
