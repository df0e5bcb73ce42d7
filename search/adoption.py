"""Trials of other runs that keep a run's budgets, taken over as they were evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from search.architecture import Architecture
from search.constraints.budgets import Budgets
from search.run_folder import RunFolder
from search.spaces.space import SearchSpace
from search.trial import Trial
from search.trials import TrialStore
from search.winners.selection import predicted_again


def adopt_trials(space: SearchSpace, budgets: Budgets, store: TrialStore, others: Sequence[Path]) -> list[Trial]:
    """Adds them as generation 0, all or none; a store that has trials stays as it is.

    Args:
        space: of all these runs, whose evaluators give the same estimates.
        budgets: that the trials must keep, with the predictors of the run.
        store: of the run.
        others: folders of the other runs.

    Returns:
        Those that were added.

    Raises:
        UserError: a store is damaged.
    """
    if store.trials():
        return []
    found: dict[Architecture, Trial] = {}
    for path in (RunFolder(folder).trials for folder in others):
        if path.is_file():
            with TrialStore(path, read_only=True) as other:
                found = {trial.architecture: trial for trial in other.trials()} | found
    fresh = [replace(trial, generation=0, results=()) for trial in found.values()]
    trials = predicted_again(fresh, space, budgets)
    adopted = [trial for trial in trials if not budgets.violated(trial.parameters, trial.upper_ms)]
    store.add(*adopted)
    return adopted
