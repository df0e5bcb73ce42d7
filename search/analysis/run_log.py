"""Reads the trials of a run of ours from its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from foundation.errors import UserError
from search.analysis.run_rewards import run_rewards
from search.analysis.search_log import ABSENT, PARAMETERS, Choices, Cost, Matrix, SearchLog, Vector, latency_cost
from search.run_config import RunConfig, read_config
from search.run_folder import RunFolder
from search.strategies.registry import members_of
from search.trial import Trial
from search.trials import TrialStore
from search.winners.trained_record import read_trained_record

_ADOPTED = "another budget"
"""In the place of a strategy."""


def read_run(folder: Path) -> SearchLog:
    """The trials of a run, its limits and the candidates that broke them; nothing is written.

    Raises:
        UserError: the run has no trials, or a file of it is damaged.
    """
    config, files = read_config(folder), RunFolder(folder)
    trials: list[Trial] = []
    if files.trials.exists():
        with TrialStore(files.trials, read_only=True) as store:
            trials, rejected, repaired = store.trials(), store.rejected(), store.repaired()
    if not trials:
        raise UserError(
            f"run {config.run}", seen="no trials", expected="a search that has evaluated nets",
            remedy=f"continue it: `latseg search --resume {config.run}`",
        )  # fmt: skip
    return log_of_run(config, files, trials, rejected, repaired)


def log_of_run(
    config: RunConfig, files: RunFolder, trials: Sequence[Trial], rejected: Mapping[str, int], repaired: int
) -> SearchLog:
    """The log of a run whose trials, at least one, were read already."""
    slots = tuple(slot for slot, _ in trials[0].architecture.choices)
    return SearchLog(
        name=config.run,
        numbers=np.arange(1, len(trials) + 1),
        quality=np.array([trial.quality for trial in trials]),
        costs=tuple(_costs(config, trials)),
        seconds=np.array([trial.seconds for trial in trials]),
        slots=slots,
        choices=_choices(slots, trials),
        trained=_trained(files, trials),
        latencies={target.device: _latencies(target.device, trials) for target in config.targets},
        rejected=rejected,
        repaired=repaired,
        strategies=_strategies(config, trials),
        rewards=run_rewards(config, trials, _proposers(config, trials)),
    )


def _strategies(config: RunConfig, trials: Sequence[Trial]) -> tuple[str, ...]:
    """Of strategies side by side, the name of each trial's; equal members are told apart by their place."""
    members = members_of(config.strategy)
    if len(members) == 1:
        return ()
    names = [f"{name} #{place + 1}" if members.count(name) > 1 else name for place, name in enumerate(members)]
    return tuple(_dealt(config, trials, names))


def _proposers(config: RunConfig, trials: Sequence[Trial]) -> list[str]:
    """Text of the strategy that proposed each trial."""
    return _dealt(config, trials, members_of(config.strategy))


def _dealt(config: RunConfig, trials: Sequence[Trial], members: Sequence[str]) -> list[str]:
    """As ``SideBySide`` deals the generations to its members.

    Generation 0 of a later run of a curve are the trials of larger budgets.
    """
    adopts, first = bool(config.curve) and config.run != config.curve[0].run, trials[0].generation

    def proposer(generation: int) -> str:
        if adopts and generation == 0:
            return _ADOPTED
        return members[0] if generation == first else members[generation % len(members)]

    return [proposer(trial.generation) for trial in trials]


def _costs(config: RunConfig, trials: Sequence[Trial]) -> list[Cost]:
    counts = np.array([float(trial.parameters) for trial in trials])
    costs = [Cost(PARAMETERS, "parameters, M", counts, float(config.max_parameters))]
    for target in config.targets:
        bounds = np.array([trial.upper_ms.get(target.device, np.nan) for trial in trials])
        costs.append(latency_cost(target.device, bounds, target.maximum_ms))
    return costs


def _choices(slots: Sequence[str], trials: Sequence[Trial]) -> Choices:
    rows = [dict(trial.architecture.choices) for trial in trials]
    return np.array([[row.get(slot, ABSENT) for slot in slots] for row in rows], np.int64)


def _latencies(device: str, trials: Sequence[Trial]) -> Matrix:
    return np.array(
        [
            (trial.predicted_ms.get(device, np.nan), trial.measured_ms.get(device, np.nan))
            for trial in trials
        ]
    )  # fmt: skip


def _trained(files: RunFolder, trials: Sequence[Trial]) -> Vector:
    """Quality after full training of the trials whose training has ended; NaN for the others.

    NaN as well where the record is damaged, of which ``latseg doctor`` tells.
    """
    return np.array([_quality(files.trained_record(trial.id)) for trial in trials])


def _quality(path: Path) -> float:
    with suppress(UserError):
        if record := read_trained_record(path):
            return record.quality
    return np.nan
