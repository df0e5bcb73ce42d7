"""``latseg feasibility``: what the budgets leave of the space."""

from __future__ import annotations

from typing import Annotated

import typer

from latseg.console import Console
from latseg.options import BudgetOptions, ClassesOption, SeedOption, SpaceOptions


def feasibility(
    context: typer.Context,
    limits: BudgetOptions,
    within: SpaceOptions,
    classes: ClassesOption = 2,
    samples: Annotated[int, typer.Option(min=1, help="Random nets to check.")] = 1000,
    seed: SeedOption = 0,
) -> None:
    """Show what share of the space keeps the budgets; exit code 3 where nothing does."""
    console: Console = context.obj
    found = console.api.feasibility(
        budgets=limits.latency_ms,
        max_parameters=limits.max_params,
        space=within.text,
        sizes=within.size,
        classes=classes,
        samples=samples,
        threads=limits.threads,
        seed=seed,
    )
    document = {
        "feasible_fraction": found.feasible_fraction,
        "samples": found.samples,
        "rejected": dict(found.rejected),
        "smallest": found.smallest.to_json(),
        "largest": found.largest.to_json(),
        "seconds": found.seconds,
        "warnings": console.warnings,
    }
    rejected = ", ".join(f"{name} {count}" for name, count in found.rejected.items())
    latencies = ", ".join(f"{ms:.3f} ms on {name}" for name, ms in found.smallest.latency_ms.items())
    console.emit(
        document,
        lambda: [
            f"[bold]{100 * found.feasible_fraction:.1f} %[/bold] of {found.samples} random nets keep every budget.",
            f"Smallest reachable: {found.smallest.parameters:,} parameters; upper bound of {latencies}.",
            f"Rejected by (a net may exceed several): {rejected or 'nothing'}.",
        ],
    )
