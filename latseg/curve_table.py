"""A search for several budgets as a table and as a document: the best networks within each budget."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from latseg.units import format_count

if TYPE_CHECKING:
    from search.curve import CurveRow
    from search.trial import Trial

COLUMNS = ("budget", "network", "found within", "quality", "parameters", "bound, ms", "measured, ms", "status")


def curve_cells(rows: Sequence[CurveRow], infeasible: Collection[str] = ()) -> list[tuple[str, ...]]:
    """The cells of a table with ``COLUMNS``: a line for each network, one for a budget without any.

    Args:
        rows: of the curve.
        infeasible: runs whose budget no network keeps.
    """
    budgets = {row.point.run: f"{row.point.maximum_ms:g} ms" for row in rows}
    cells: list[tuple[str, ...]] = []
    for row in rows:
        own = budgets[row.point.run]
        if not row.winners:
            why = "no network keeps it" if row.point.run in infeasible else "none found"
            cells.append((own, *["-"] * 6, why))
        cells += [(own, winner.trial.id, budgets[winner.run], *_cells(winner.trial)) for winner in row.winners]
    return cells


def curve_document(rows: Sequence[CurveRow], device: str) -> list[dict[str, Any]]:
    """``table`` of ``latseg search --budgets ... --json``: an object for each budget, the smallest first."""
    return [
        {
            "device": device,
            "budget_ms": row.point.maximum_ms,
            "run": row.point.run,
            "winners": [{"run": winner.run, **winner_document(winner.trial)} for winner in row.winners],
        }
        for row in rows
    ]


def winner_document(trial: Trial) -> dict[str, Any]:
    """An entry of ``winners`` of ``latseg search --json``."""
    return {
        "id": trial.id,
        "architecture": {"space": trial.architecture.space, "choices": dict(trial.architecture.choices)},
        "parameters": trial.parameters,
        "flops": trial.flops,
        "predicted_ms": dict(trial.predicted_ms),
        "upper_ms": dict(trial.upper_ms),
        "measured_ms": trial.measured_ms,
        "quality": trial.quality,
        "status": trial.status,
        "certified": trial.certified,
    }


def _cells(trial: Trial) -> tuple[str, ...]:
    return (
        f"{100 * trial.quality:.1f} %",
        format_count(trial.parameters),
        ", ".join(f"{ms:.3f}" for ms in trial.upper_ms.values()),
        ", ".join(f"{ms:.3f}" for ms in trial.measured_ms.values()),
        trial.status,
    )
