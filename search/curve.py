"""A search for several budgets of one device: a run for each, and the best network within each budget.

The runs follow each other from the largest budget to the smallest. Each uses the evaluator that the first one prepared,
and begins with the trials of those before it that keep its own budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from foundation.errors import UserError
from search.architecture import Architecture
from search.run_config import CurvePoint, RunConfig
from search.run_folder import RunFolder
from search.trial import Trial
from search.trials import TrialStore
from search.winners.selection import won


@dataclass(frozen=True, slots=True)
class CurveWinner:
    """A network within a budget, and the run that found it: that of this budget or of a smaller one."""

    run: str
    trial: Trial


@dataclass(frozen=True, slots=True)
class CurveRow:
    """The best networks within one budget, best quality first; none where none was found."""

    point: CurvePoint
    winners: tuple[CurveWinner, ...]


def with_curve(config: RunConfig, limits_ms: Sequence[float]) -> RunConfig:
    """The first run of a curve, that of the largest budget.

    Args:
        config: a new run with one device.
        limits_ms: the budgets.

    Raises:
        UserError: no budget, or more than one device.
    """
    if not limits_ms:
        raise UserError("budgets", seen="none", expected="at least one", remedy="give for example 2ms,4ms")
    if len(config.targets) != 1:
        raise UserError(
            "several budgets", seen=f"{len(config.targets)} devices", expected="one device",
            remedy="search for each device on its own",
        )  # fmt: skip
    named = {f"{config.run}-{ms:.9g}ms": ms for ms in sorted(limits_ms, reverse=True)}  # what reads alike is one run
    points = tuple(CurvePoint(run=run, maximum_ms=ms) for run, ms in named.items())
    return of_point(config.model_copy(update={"curve": points}), points[0])


def of_point(config: RunConfig, point: CurvePoint) -> RunConfig:
    """The run of one budget of the curve to which ``config`` belongs."""
    (target,) = config.targets
    targets = (target.model_copy(update={"maximum_ms": point.maximum_ms}),)
    return config.model_copy(update={"run": point.run, "targets": targets})


def earlier_folders(config: RunConfig, folder: Path) -> list[Path]:
    """Folders of the runs that come before this one on its curve; none without a curve."""
    names = [point.run for point in config.curve]
    return [folder.parent / name for name in names[: names.index(config.run)]] if names else []


def curve_rows(runs: Path, config: RunConfig) -> list[CurveRow]:
    """One row for each budget of a run's curve, the smallest first, from what the runs have stored so far.

    What holds within a budget holds within a larger one, so the quality never falls from row to row.

    Args:
        runs: the folder of all runs.
        config: of any run of the curve.

    Raises:
        UserError: a store is damaged.
    """
    best: dict[Architecture, CurveWinner] = {}
    rows = []
    for point in reversed(config.curve):
        for trial in _won(RunFolder(runs / point.run).trials):
            best.setdefault(trial.architecture, CurveWinner(point.run, trial))
        ordered = sorted(best.values(), key=lambda winner: -winner.trial.quality)
        rows.append(CurveRow(point, tuple(ordered[: config.winners])))
    return rows


def _won(path: Path) -> list[Trial]:
    if not path.is_file():
        return []
    with TrialStore(path, read_only=True) as store:
        return won(store.trials())
