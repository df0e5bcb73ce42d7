"""Settings of a full training, and the learning-rate schedule. Importing this module loads no torch."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from foundation.errors import UserError

_MAY_DIFFER = ("threads", "device")
"""Settings that may be others when a training is continued."""
_POSITIVE = ("epochs", "batch_size", "learning_rate", "temperature", "evaluate_every")


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How a network is trained; equal settings for all networks make their scores comparable.

    Raises:
        UserError: a value out of range.
    """

    input_size: tuple[int, int] = (256, 256)
    """Height and width of the network's input."""
    epochs: int = 20
    steps: int | None = None
    """Number of updates; replaces ``epochs``."""
    batch_size: int = 8
    learning_rate: float = 7e-3
    """The highest one, reached after the warm-up."""
    warm_up: float = 0.1
    """Share of all updates."""
    weight_decay: float = 1e-3
    """Of the weights of convolutions; biases and batch normalisation have none."""
    dice_weight: float = 1.0
    distillation_weight: float = 1.0
    """Weight of the teacher's term, where there is a teacher."""
    temperature: float = 2.0
    teacher_input_size: tuple[int, int] | None = None
    """Height and width of the teacher's input; by default the network's."""
    ema_decay: float = 0.99
    """Of the exponential moving average of the weights; lower in the first updates."""
    augment: bool = True
    evaluate_every: int = 1
    """Epochs from one evaluation on the validation part to the next; the last epoch is always evaluated."""
    evaluate_limit: int | None = None
    """Number of validation images of these evaluations; the last one uses all."""
    seed: int = 0
    threads: int | None = None
    """Threads of torch; by default as many as before."""
    device: str = "cpu"
    """``cpu``, ``cuda`` or ``cuda:NUMBER``; on a GPU, two trainings with one seed differ a little."""

    def __post_init__(self) -> None:
        for name in _POSITIVE:
            if not getattr(self, name) > 0:
                raise _out_of_range(name, getattr(self, name), "more than 0")
        if self.steps is not None and self.steps < 1:
            raise _out_of_range("steps", self.steps, "at least 1")
        if not 0 <= self.ema_decay < 1:
            raise _out_of_range("ema_decay", self.ema_decay, "0 or more and below 1")
        if min(self.input_size) < 1:
            raise _out_of_range("input_size", self.input_size, "positive height and width")

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of update ``step`` (from 0) of ``steps``."""
        return self.learning_rate * warm_up_cosine(step, steps, max(1, round(self.warm_up * steps)))

    def to_json(self) -> dict[str, Any]:
        """A document of plain values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    def difference(self, document: dict[str, Any]) -> str | None:
        """The first setting with another value in a saved document, as text; ``None`` if the training is the same."""
        mine = self.to_json()
        for field in fields(self):
            if field.name not in _MAY_DIFFER and document.get(field.name) != mine[field.name]:
                return f"{field.name} {document.get(field.name)} (now {mine[field.name]})"
        return None


def warm_up_cosine(step: int, steps: int, warm_up: int) -> float:
    """Share of the highest learning rate at update ``step`` (from 0) of ``steps``.

    It rises linearly over ``warm_up`` updates and falls along half a cosine (Loshchilov & Hutter, arXiv 1608.03983).
    """
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def _out_of_range(name: str, seen: object, expected: str) -> UserError:
    return UserError(f"training setting {name}", seen=seen, expected=expected, remedy="correct it")
