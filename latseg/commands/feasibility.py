"""``latseg feasibility``: what the budgets leave of the space."""

from __future__ import annotations

from typing import Annotated

import typer

from latseg.budget_options import open_budgets, open_targets, parse_limits
from latseg.console import Console
from latseg.options import (
    ClassesOption,
    DevicesOption,
    LatencyOption,
    ParametersOption,
    SeedOption,
    SizesOption,
    SpaceOption,
    ThreadsOption,
)
from latseg.units import parse_sizes
from search.spaces.registry import open_space


def feasibility(
    context: typer.Context,
    device: DevicesOption = None,
    max_latency: LatencyOption = None,
    max_params: ParametersOption = "0.4M",
    space: SpaceOption = "portrait",
    size: SizesOption = None,
    threads: ThreadsOption = 1,
    classes: ClassesOption = 2,
    samples: Annotated[int, typer.Option(min=1, help="Random nets to judge.")] = 1000,
    seed: SeedOption = 0,
) -> None:
    """Tell what share of the space keeps the budgets; exit code 3 where nothing does."""
    from search.constraints.feasibility import feasibility as judge
    from search.constraints.infeasible import require_feasible

    console: Console = context.obj
    limits = parse_limits(device, max_latency, max_params)
    budgets = open_budgets(console, limits, open_targets(limits, threads))
    found = judge(open_space(space, parse_sizes(size)), budgets, classes=classes, samples=samples, seed=seed)
    require_feasible(budgets, found)
    document = {
        "feasible_fraction": found.feasible_fraction,
        "samples": found.samples,
        "rejected": dict(found.rejected),
        "smallest": found.smallest.to_json(),
        "largest": found.largest.to_json(),
        "seconds": found.seconds,
        "warnings": console.warnings,
    }
    latencies = ", ".join(f"{ms:.3f} ms on {name}" for name, ms in found.smallest.latency_ms.items())
    console.emit(
        document,
        lambda: [
            f"[bold]{100 * found.feasible_fraction:.1f} %[/bold] of {found.samples} random nets keep every budget.",
            f"Smallest reachable: {found.smallest.parameters:,} parameters; upper bound of {latencies}.",
            f"Rejected by: {', '.join(f'{name} {count}' for name, count in found.rejected.items()) or 'nothing'}.",
        ],
    )
