"""How a net is trained. Importing this loads no torch."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from foundation.errors import UserError

_POSITIVE = ("epochs", "batch_size", "learning_rate", "temperature", "evaluate_every")


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """One recipe for every net, so that nets can be compared.

    Raises:
        UserError: a value out of range.
    """

    input_size: tuple[int, int] = (256, 256)
    """Height and width of what the net sees."""
    epochs: int = 20
    steps: int | None = None
    """Number of updates; takes the place of ``epochs``."""
    batch_size: int = 8
    learning_rate: float = 7e-3
    """The highest one; reached after the warm-up, then lowered along a half cosine to zero."""
    warm_up: float = 0.1
    """Share of all updates."""
    weight_decay: float = 1e-3
    """On weights of convolutions alone."""
    dice_weight: float = 1.0
    distillation_weight: float = 1.0
    """Weight of the teacher's term, where there is a teacher."""
    temperature: float = 2.0
    teacher_input_size: tuple[int, int] | None = None
    """What the teacher sees; by default what the net sees."""
    ema_decay: float = 0.99
    augment: bool = True
    evaluate_every: int = 1
    """Epochs between two looks at the validation split; the last epoch is always judged."""
    evaluate_limit: int | None = None
    """Number of validation images for the looks on the way; the last one takes all."""
    seed: int = 0
    threads: int | None = None
    """Threads of torch; by default as they are."""

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
        """Learning rate of update ``step`` of ``steps``: linear warm-up, then half a cosine (Loshchilov, 2017)."""
        warm = max(1, round(self.warm_up * steps))
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))

    def to_json(self) -> dict[str, Any]:
        """A document of plain values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    def difference(self, document: dict[str, Any]) -> str | None:
        """First setting in which a saved document would train otherwise, as text; ``None`` if there is none."""
        mine = self.to_json()
        for field in fields(self):
            if field.name != "threads" and document.get(field.name) != mine[field.name]:
                return f"{field.name} {document.get(field.name)} (now {mine[field.name]})"
        return None


def _out_of_range(name: str, seen: object, expected: str) -> UserError:
    return UserError(f"training setting {name}", seen=seen, expected=expected, remedy="correct it")
