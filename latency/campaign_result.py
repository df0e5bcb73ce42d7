"""What a campaign tells: its progress, and what the store holds of its items afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from devices.measurement import NoiseFloor
from foundation.progress import Progress
from latency.campaign_items import CampaignItem
from latency.operators.operator import AttributeValue


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignProgress(Progress):
    """A campaign after each result; ``done`` counts the results of this run, failures included."""

    failed: int
    label: str
    latency_ms: float | None
    """None where the measurement failed."""
    seconds_left: float


@dataclass(frozen=True, slots=True)
class CampaignFailure:
    """A net or a single operator that failed and was never measured."""

    what: str
    """``net`` with its label, or the operator with its shapes."""
    reason: str


@dataclass(frozen=True, slots=True)
class CampaignResult:
    """What the store holds of a campaign's items after a run."""

    models: int
    """Whole nets measured, now or earlier."""
    operators: int
    """Models of operators measured, alone and among others, now or earlier."""
    failures: tuple[CampaignFailure, ...]
    left: int
    """Items that lack measurements because the limit of minutes was reached."""
    measured: int
    """Measurements taken in this run, one for each item and pass."""
    noise_floor: NoiseFloor | None
    seconds: float

    @property
    def failed(self) -> int:
        """Number of ``failures``."""
        return len(self.failures)


def item_name(item: CampaignItem) -> str:
    """Kind and label of an item."""
    kinds = " ".join(operator.kind for operator in item.graph.operators) if item.source == "operator" else ""
    return f"{kinds or 'net'} {item.label}"


def described(item: CampaignItem) -> str:
    """``net`` with its label, or the operator with its shapes."""
    if item.source != "operator" or item.is_neighbourhood:
        return item_name(item)
    (operator,) = item.graph.operators
    named = (name for name in ("kernel", "strides", "group") if operator.attribute(name, ""))
    settings = "".join(f" {name}={_plain(operator.attribute(name, ''))}" for name in named)
    read, written = (", ".join(map(_plain, shapes)) for shapes in (operator.input_shapes, operator.output_shapes))
    return f"{operator.kind}{settings} {read or 'of no input'} to {written}"


def _plain(value: AttributeValue) -> str:
    if not isinstance(value, tuple):
        return str(value)
    return "x".join(map(str, value)) or "a number"
