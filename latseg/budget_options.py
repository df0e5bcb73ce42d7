"""From ``--device``, ``--max-latency`` and ``--max-params`` to budgets with their predictors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from foundation.errors import UserError
from latseg.units import parse_latency_ms, parse_parameters
from latseg.workspace import Workspace

if TYPE_CHECKING:
    from devices.device import Device
    from latseg.console import Console
    from search.constraints.budgets import Budgets


@dataclass(frozen=True, slots=True)
class BudgetOptions:
    """What the user wrote, in milliseconds and counts."""

    latency_ms: tuple[tuple[str, float], ...]
    """Device name and limit."""
    parameters: int


def parse_limits(devices: Sequence[str] | None, latencies: Sequence[str] | None, parameters: str) -> BudgetOptions:
    """One latency limit for each device, in the order given; without ``--device`` it is ``cpu``.

    Raises:
        UserError: numbers of devices and limits differ, a unit is missing, or a limit is not positive.
    """
    names = list(devices or ["cpu"])
    limits = [parse_latency_ms(text) for text in latencies or ()]
    if len(names) != len(limits):
        raise UserError(
            "--max-latency",
            seen=f"{len(limits)} limits for {len(names)} devices ({', '.join(names)})",
            expected="one limit for each --device",
            remedy="write for example --device cpu --max-latency 8ms",
        )
    return BudgetOptions(tuple(zip(names, limits, strict=True)), parse_parameters(parameters))


def open_targets(limits: BudgetOptions, threads: int) -> dict[str, Device]:
    """The devices by the name given."""
    from devices.registry import get_device

    return {name: get_device(name, threads=threads) for name, _ in limits.latency_ms}


def open_budgets(console: Console, limits: BudgetOptions, targets: dict[str, Device]) -> Budgets:
    """Budgets that are tested on the calibrated bound of each device's fitted predictor in the console's workspace.

    Raises:
        UserError: a device has no predictor yet.
    """
    from search.constraints.budgets import Budgets, LatencyBudget, ParameterBudget

    workspace = Workspace(console.workspace)
    latencies = (
        LatencyBudget(name, ms, workspace.predictor(targets[name], console.warn)) for name, ms in limits.latency_ms
    )
    return Budgets(ParameterBudget(limits.parameters), tuple(latencies))
