"""Whether a file keeps its budget, measured until something is decided."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from devices.measurement import FailedMeasurement, Measurement
from devices.other_load import BUSY_CORES, other_load
from export.bundle.certificate import CPU_PER_WALL_LIMIT, Certificate
from export.bundle.check import Check

RETRIES = 3
_LOOK_S = 1.0
"""Pause between two looks at a machine that is waited for."""

MeasureAgain = Callable[[int], Measurement | FailedMeasurement]
"""Measures once more, with the seed of this attempt."""


def decide(name: str, certificate: Certificate, measure: MeasureAgain, *, wait_s: float = 0.0) -> Check:
    """The check of one budget.

    The first measurement within the budget decides; one above it is reconsidered by the middle one of three further
    measurements, as at the export. If that is above, too, and other programs used the machine meanwhile, nothing is
    decided: beside a busy neighbour a net takes some percent longer, even relative to the reference net.

    Args:
        name: of the check.
        certificate: with the budget, and the file that must have been measured.
        measure: measures the file.
        wait_s: how long to wait for other programs to leave the machine, before the first and the further measurements.
    """
    loads = [_calm(wait_s)]
    first = _check(name, certificate, measure(0))
    if first.ok or not first.undecided:
        return first
    loads.append(_calm(wait_s))
    further = []
    for attempt in range(1, 1 + RETRIES):
        further.append(measure(attempt))
        loads.append(other_load())
    second = _check(name, certificate, _middle(further))
    if second.ok:
        detail = f"{second.detail}; the middle one of {RETRIES} measurements, after a first one: {first.detail}"
        return replace(second, detail=detail)
    if second.undecided and max(loads) >= BUSY_CORES:
        busy = f"too busy to tell: other programs used {max(loads):.1f} cores; stop them, or use --wait"
        return replace(second, detail=f"{second.detail}; {busy}")
    return replace(second, undecided=False)


def _calm(wait_s: float) -> float:
    """Cores that others use, once these are few or the time is over."""
    end = time.monotonic() + wait_s
    while (load := other_load()) >= BUSY_CORES and time.monotonic() < end:
        time.sleep(_LOOK_S)
    return load


def _middle(results: list[Measurement | FailedMeasurement]) -> Measurement | FailedMeasurement:
    measured = [result for result in results if isinstance(result, Measurement)]
    if len(measured) < len(results):
        return next(result for result in results if isinstance(result, FailedMeasurement))
    return sorted(measured, key=lambda result: result.latency_ms)[len(measured) // 2]


def _check(name: str, certificate: Certificate, result: Measurement | FailedMeasurement) -> Check:
    """Undecided where the budget was exceeded, for which the load of the machine may be the reason."""
    if isinstance(result, FailedMeasurement):
        return Check(name, False, result.reason)
    if result.model_sha256 != certificate.model_sha256:
        return Check(name, False, "another file was measured")
    if not result.cpu_per_wall <= CPU_PER_WALL_LIMIT * result.device.threads:
        return Check(name, False, f"more threads ran than the {result.device.threads} that were requested")
    low, high = result.interval_ms
    unsure = "" if result.converged else ", not converged"
    kept = result.latency_ms <= certificate.budget_ms
    detail = (
        f"{result.latency_ms:.3f} ms ({low:.3f} to {high:.3f}{unsure}) "
        f"against a budget of {certificate.budget_ms:g} ms, certified at {certificate.latency_ms:.3f} ms"
    )
    return Check(name, kept, detail, undecided=not kept)
