"""Full training of a winner."""

from __future__ import annotations

from foundation.errors import UserError
from search.run_context import RunContext
from search.tasks.task import Trained
from search.trial import REJECTED, Trial
from search.trials import TrialStore


def find_trial(context: RunContext, trial_id: str) -> Trial:
    """The run's trial with this id.

    Raises:
        UserError: none has it.
    """
    with TrialStore(context.folder.trials) as store:
        trials = store.trials()
    found = next((trial for trial in trials if trial.id == trial_id), None)
    if found is None:
        known = [trial.id for trial in trials if trial.certified] or [trial.id for trial in trials]
        raise UserError(
            "--winner",
            seen=repr(trial_id),
            expected=f"the id of a trial of run {context.config.run}, such as {', '.join(known[:3]) or 'none yet'}",
            remedy=f"see `latseg report {context.config.run}`",
        )
    return found


def train_winner(context: RunContext, trial: Trial, *, epochs: int | None = None) -> Trained:
    """Trains the trial's net in full; continues from its checkpoint, and returns at once where it was finished.

    Raises:
        UserError: the trial was rejected by measurement, or as ``Task.train``.
    """
    if trial.status == REJECTED:
        reasons = "; ".join(f"{result.device}: {result.reason}" for result in trial.results if not result.holds)
        raise UserError(
            f"winner {trial.id}",
            seen=f"rejected by measurement ({reasons})",
            expected="a net that keeps its budgets",
            remedy="choose another one, or search with a larger budget",
        )
    return context.task.train(
        trial.architecture,
        checkpoint=context.folder.training(trial.id),
        epochs=epochs,
        on_progress=context.on_progress,
    )
