"""``latseg search``: the search under hard budgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latseg.commands.verify import VERIFICATION_FAILED
from latseg.console import Console, plain, table
from latseg.curve_table import COLUMNS, curve_cells, curve_document, winner_document
from latseg.option_groups import refuse_other_options
from latseg.options import (
    ClusterOption,
    DataGroup,
    OptunaStorageOption,
    SearchLimits,
    SearchOptions,
    SeedOption,
    SpaceOptions,
    TensorboardOption,
    TrainingGroup,
    WandbOption,
    followed_words,
)
from latseg.units import format_count

if TYPE_CHECKING:
    from latseg.curve_handle import CurveHandle
    from latseg.run_handle import RunHandle
    from search.constraints.infeasible import InfeasibleError
    from search.curve import CurveRow
    from search.loop import SearchResult
    from search.run_config import CurvePoint

_OF_A_RUN = ("resume", "training_device", "cluster", "tensorboard", "wandb", "optuna_storage")
"""Options beside ``--resume``."""


def search(
    context: typer.Context,
    limits: SearchLimits,
    data: DataGroup,
    how: SearchOptions,
    within: SpaceOptions,
    training: TrainingGroup,
    resume: Annotated[str | None, typer.Option("--resume", metavar="RUN", help="Continue this run.")] = None,
    seed: SeedOption = 0,
    tensorboard: TensorboardOption = None,
    cluster: ClusterOption = None,
    wandb: WandbOption = None,
    optuna_storage: OptunaStorageOption = None,
) -> None:
    """Search the best net within the budgets; winners are measured on the device and certified or rejected."""
    console: Console = context.obj
    if resume is None:
        options = asdict(how) | {
            "data": data.checked(),
            "max_parameters": limits.max_params,
            "space": within.text,
            "sizes": within.size,
            "training": training.checked(),
            "threads": limits.threads,
            "portable": limits.portable_names,
            "allow_fallback": limits.allow_fallback,
            "seed": seed,
        }
        run = _new_run(console, limits, options)
    else:
        expected = (
            "only --resume RUN, --training-device, --cluster, --tensorboard, --wandb and --optuna-storage: "
            "a run continues as it began"
        )
        refuse_other_options(context, _OF_A_RUN, "--resume", expected)
        run = console.api.run(resume)
    device = None if resume is None else training.training_device
    moved = [] if device is None else ["--training-device", device]
    moved += [] if cluster is None else ["--cluster", cluster]
    followed = followed_words(tensorboard, wandb, optuna_storage)
    console.resume_hint = console.line("search", "--resume", run.id, *moved, *followed)
    for note in run.config.data_notes:
        console.remark(f"data: {note}")
    notes: list[str] = []

    def tell(note: str) -> None:
        notes.append(note)
        console.remark(f"teacher: {note}")

    hooks = {
        "training_device": device,
        "tensorboard": tensorboard,
        "cluster": cluster,
        "wandb": wandb,
        "optuna_storage": optuna_storage,
        "on_first_look": lambda path: console.remark(f"first look at the data: {path}"),
        "on_note": tell,
    }
    told = {"data_notes": list(run.config.data_notes), "teacher_notes": notes, "warnings": console.warnings}
    curve = console.api.curve_of(run)
    if not (_search_one(console, run, hooks, told) if curve is None else _search_curve(console, curve, hooks, told)):
        raise typer.Exit(VERIFICATION_FAILED)


def _new_run(console: Console, limits: SearchLimits, options: dict[str, Any]) -> RunHandle:
    """The run that the options describe; of several budgets the first one."""
    if limits.budgets is None:
        return console.api.search(budgets=limits.latency_ms, start=False, **options)
    return console.api.curve(limits.names[0], limits.budgets_ms, start=False, **options).runs[0]


def _search_one(console: Console, run: RunHandle, hooks: dict[str, Any], told: dict[str, Any]) -> bool:
    """Whether it has a winner."""
    result = run.search(**hooks)
    console.emit({**_document(run.id, result), **told}, lambda: _render(console, run.id, result))
    return bool(result.winners)


def _search_curve(console: Console, curve: CurveHandle, hooks: dict[str, Any], told: dict[str, Any]) -> bool:
    """Whether any budget has a winner."""
    rows, device = curve.search(**hooks), curve.runs[0].config.targets[0].device
    runs = [_run_document(point, curve.results[point.run]) for point in curve.runs[0].config.curve]
    document = {"runs": runs, "table": curve_document(rows, device)}
    console.emit({**document, **told}, lambda: _render_curve(console, curve, rows))
    return any(row.winners for row in rows)


def _run_document(point: CurvePoint, result: SearchResult | InfeasibleError) -> dict[str, Any]:
    shared = {"run": point.run, "budget_ms": point.maximum_ms}
    if isinstance(result, Exception):
        return {**shared, "infeasible": str(result)}
    return {**shared, "infeasible": None, **_document(point.run, result)}


def _document(run: str, result: SearchResult) -> dict[str, Any]:
    return {
        "run": run,
        "trials": len(result.trials),
        "rejected": dict(result.rejected),
        "repaired": result.repaired,
        "feasible_fraction": result.feasibility.feasible_fraction,
        "near_budget": [near.model_dump(mode="json", by_alias=True) for near in result.near_budget],
        "bounds": dict(result.bounds),
        "message": result.message,
        "winners": [winner_document(trial) for trial in result.winners],
    }


def _render(console: Console, run: str, result: SearchResult) -> list[Any]:
    """A table, sentences, and the command that comes next."""
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
    columns = ("winner", "status", "parameters", "measured", "predicted bound, ms", "quality in the search")
    lines: list[Any] = [table(f"Run {run}", columns, rows)] if rows else []
    lines += [plain(_sentence(near.statement)) for near in result.near_budget]
    lines += [plain(_sentence(f"on {device}, later: {statement}")) for device, statement in result.bounds.items()]
    lines.append(f"{len(result.trials)} nets evaluated; candidates rejected untrained, by constraint: {rejected}.")
    lines.append(_sentence(result.message))
    if result.winners:
        lines.append("Continue with: " + plain(console.line("train", run, "--winner", result.winners[0].id)))
    return lines


def _render_curve(console: Console, curve: CurveHandle, rows: Sequence[CurveRow]) -> list[Any]:
    """The table over the budgets, a sentence for each run, and the command that comes next."""
    infeasible = [run for run, result in curve.results.items() if isinstance(result, Exception)]
    lines: list[Any] = [table("Networks within each budget", COLUMNS, curve_cells(rows, infeasible))]
    for run, result in curve.results.items():
        said = str(result) if isinstance(result, Exception) else result.message
        lines.append(plain(f"{run}: {said}."))
    best = [winner for row in rows for winner in row.winners[:1]]
    if best:
        lines.append("Continue with: " + plain(console.line("train", best[-1].run, "--winner", best[-1].trial.id)))
    return lines


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."
