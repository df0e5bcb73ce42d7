"""What ``latseg search`` says of what it found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from latseg.console import Console, plain, table
from latseg.units import format_count

if TYPE_CHECKING:
    from search.loop import SearchResult
    from search.trial import Trial


def search_document(run: str, result: SearchResult) -> dict[str, Any]:
    """The JSON document of a search."""
    return {
        "run": run,
        "trials": len(result.trials),
        "rejected": dict(result.rejected),
        "repaired": result.repaired,
        "feasible_fraction": result.feasibility.feasible_fraction,
        "near_budget": [near.model_dump(mode="json") for near in result.near_budget],
        "message": result.message,
        "winners": [_winner(trial) for trial in result.winners],
    }


def drawn_search(console: Console, run: str, result: SearchResult) -> list[Any]:
    """The same for a person: a table, sentences, and the command that comes next."""
    rows = [
        (
            trial.id,
            trial.status,
            format_count(trial.parameters),
            ", ".join(f"{ms:.3f} ms on {name}" for name, ms in trial.measured_ms.items()) or "not measured",
            ", ".join(f"{ms:.3f}" for ms in trial.upper_ms.values()),
            f"{100 * trial.quality:.1f} %",
        )
        for trial in result.winners
    ]
    rejected = ", ".join(f"{name} {count}" for name, count in result.rejected.items()) or "none"
    columns = ("winner", "status", "parameters", "measured", "predicted bound, ms", "mean IoU in the search")
    lines: list[Any] = [table(f"Run {run}", columns, rows)] if rows else []
    lines += [plain(_sentence(near.statement)) for near in result.near_budget]
    lines.append(f"{len(result.trials)} nets evaluated; candidates rejected untrained, by constraint: {rejected}.")
    lines.append(_sentence(result.message))
    if result.winners:
        lines.append("Go on with: " + plain(console.line("train", run, "--winner", result.winners[0].id)))
    return lines


def _winner(trial: Trial) -> dict[str, Any]:
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


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."
