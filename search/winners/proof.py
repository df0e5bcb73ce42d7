"""How often a winner's file is measured before its budget counts as proven or refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from export.bundle.certificate import Certificate, Refusal, certify
from latency.measuring import Measured

MeasureAgain = Callable[[int], Measured]
"""The file's measurement number 0, 1, ...; each with another seed."""
_APPEAL_MEASUREMENTS = 3


def prove(measure: MeasureAgain, *, budget_ms: float) -> Certificate | Refusal:
    """The first measurement decides; a refusal is appealed once, to the middle one of three measurements.

    A certificate won on appeal says so (``Certificate.retry``), with the first refusal's reason.
    """
    first = _judged([measure(0)], budget_ms)
    if isinstance(first, Certificate):
        return first
    second = _judged([measure(attempt) for attempt in range(1, 1 + _APPEAL_MEASUREMENTS)], budget_ms)
    if isinstance(second, Refusal):
        return second
    appeal = f"the middle one of {_APPEAL_MEASUREMENTS} measurements, taken after a first one was refused: "
    return second.model_copy(update={"retry": appeal + first.reason})


def _judged(measured: Sequence[Measured], budget_ms: float) -> Certificate | Refusal:
    middle = sorted(measured, key=lambda one: one.measurement.latency_ms)[len(measured) // 2]
    floor = middle.noise_floor.normalised_percent
    return certify(middle.measurement, budget_ms=budget_ms, noise_floor_percent=floor)
