"""What a new search is asked for, in groups of options that belong together."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    field_validator,
    model_validator,
)

from foundation.errors import UserError

Count = Annotated[int, Field(ge=1)]
Size = tuple[Count, Count]
"""Height and width."""
_LEAST_EPOCHS, _LEAST_PICTURES = 30, 36_000
"""Of a full training; ``benchmarks/recipe.py`` shows what a third of the pictures costs."""
Milliseconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Options(BaseModel):
    """Base of the groups: immutable, unknown names refused.

    Raises:
        UserError: a value out of range.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="wrap")
    @classmethod
    def _in_one_line(cls, values: Any, handler: ModelWrapValidatorHandler[Any]) -> Any:
        try:
            return handler(values)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"])).replace("_", " ") or cls.__name__
            raise UserError(
                name, seen=repr(first["input"]), expected=first["msg"], remedy="give another value"
            ) from error


class BudgetOptions(Options):
    """Hard limits: one latency for each device, and a number of parameters."""

    latency_ms: Annotated[dict[str, Milliseconds], Field(min_length=1)]
    """Limit by device."""
    parameters: Count = 400_000
    threads: Count | None = None
    """Of each device whose name does not say it."""
    portable: tuple[str, ...] = ()
    """Targets that must run every operator, such as ``qnn``; nothing is measured there."""
    allow_fallback: bool = False
    """Whether an operator may run there on another compute unit than the one that the target is meant for."""


class DataOptions(Options):
    """The data of the task."""

    source: str
    """For example ``synthetic:320`` or ``folder:PATH``."""
    size: Size = (256, 256)
    """To which images are resized."""
    count: Count | None = None
    """Use at most this many examples."""
    resize_masks: bool = False
    """Resize masks whose size differs from that of their image."""
    hold_out_test: bool = True
    """Whether a test split may be taken from the examples; runs from before there was one open without."""


class TrainingOptions(Options):
    """How much is trained. Steps are batches."""

    teacher_epochs: Annotated[int, Field(ge=0)] = 0
    """Of a teacher that is trained first; 0 trains none (``benchmarks/distillation.py``: no network gained by it)."""
    supernet_steps: Count | None = None
    """Of the evaluator ``supernet``; None for 1 where a supernet ships for the space, and 400 otherwise."""
    winner_epochs: Count | None = None
    """None for 30, and more where there are few pairs: a winner sees 36,000 pictures at least."""
    batch_size: Count = 8
    evaluation_images: Count = 48
    """Of the validation split, by which trials are compared."""
    training_size: Size | None = None
    """Height and width at which the teacher is trained; None for that of the data."""
    threads: Count = 2
    """Of PyTorch."""
    device: str = "cpu"
    """``cpu``, ``cuda`` or ``cuda:NUMBER``: where networks are trained."""
    teacher: str | None = None
    """A net of the user's own, ``FILE[:KEY=VALUE,...]``, in the place of the teacher that is trained."""
    unlabelled: str | None = None
    """Folder of photographs without masks; networks learn from them what the teacher says of them."""
    scene_steps: Annotated[int, Field(ge=0)] = 1500
    """Of 16 synthetic scenes of people, from which a winner learns before it sees the data."""
    pretrained: bool = True
    """Teacher, supernet, short trainings and encoder begin with weights that ship; winners learn from scenes."""

    @field_validator("device")
    @classmethod
    def _is_known(cls, device: str) -> str:
        if not re.fullmatch(r"cpu|cuda(:(0|[1-9][0-9]?))?", device, re.ASCII):
            raise UserError(
                "training device", seen=repr(device), expected="cpu, cuda or cuda:NUMBER",
                remedy="write for example --training-device cuda",
            )  # fmt: skip
        return device

    def epochs_of_winner(self, examples: int) -> int:
        """Of a full training on so many training examples."""
        in_an_epoch = self.batch_size * max(1, examples // self.batch_size)
        return self.winner_epochs or max(_LEAST_EPOCHS, math.ceil(_LEAST_PICTURES / in_an_epoch))


class SearchOptions(Options):
    """Where and how to search."""

    space: str = "portrait"
    sizes: tuple[Size, ...] | None = None
    """Input sizes to which the space is restricted."""
    strategy: str = "evolution"
    """``NAME[:KEY=VALUE,...]``, or several joined by ``|`` that take turns."""
    evaluator: str | None = None
    """As ``strategy``; None for ``pretrained`` where the space has nets trained in advance."""
    supernet: str | None = None
    """Earlier run whose prepared evaluator (a supernet, short trainings) is used; see ``search.earlier_run``."""
    trials: Count | None = None
    """Architectures to evaluate; None for as many as suit the evaluator."""
    winners: Count = 1
    calibration_nets: Annotated[int, Field(ge=0)] = 10
    """Random nets measured near each latency budget before the search."""
    seed: int = 0
