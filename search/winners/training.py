"""Full training of a winner with the teacher. Importing this module loads torch."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from foundation.errors import UserError
from search.run_context import RunContext
from search.trial import REJECTED, Trial
from search.trials import TrialStore
from segmentation.networks.network import Network
from segmentation.training.settings import TrainSettings
from segmentation.training.train import TrainingResult, train


def find_trial(session: RunContext, trial_id: str) -> Trial:
    """The run's trial with this id.

    Raises:
        UserError: none has it.
    """
    with TrialStore(session.folder.trials) as store:
        trials = store.trials()
    found = next((trial for trial in trials if trial.id == trial_id), None)
    if found is None:
        known = [trial.id for trial in trials if trial.certified] or [trial.id for trial in trials]
        raise UserError(
            "--winner",
            seen=repr(trial_id),
            expected=f"the id of a trial of run {session.config.run}, such as {', '.join(known[:3]) or 'none yet'}",
            remedy=f"see `latseg report {session.config.run}`",
        )
    return found


def train_winner(session: RunContext, trial: Trial, *, epochs: int | None = None) -> TrainingResult:
    """Trains the trial's net in full; goes on from its checkpoint, and returns at once where it was finished.

    Raises:
        UserError: the trial was rejected: the device contradicted its prediction.
        UserError: as ``segmentation.training.train.train``.
    """
    if trial.status == REJECTED:
        reasons = "; ".join(f"{finding.device}: {finding.reason}" for finding in trial.findings if not finding.holds)
        raise UserError(
            f"winner {trial.id}", seen=f"rejected by measurement ({reasons})", expected="a net that keeps its budgets",
            remedy="choose another one, or search with a larger budget",
        )  # fmt: skip
    config, effort = session.config, session.config.effort
    torch.manual_seed(config.seed)
    network: nn.Module = Network(session.space.plan(trial.architecture, classes=len(config.classes)))
    teacher = session.teacher
    settings = TrainSettings(
        input_size=session.space.input_size(trial.architecture),
        epochs=epochs or effort.winner_epochs,
        batch_size=effort.batch_size,
        teacher_input_size=None if teacher is None else session.teacher_size,
        evaluate_limit=effort.evaluation_images,
        seed=config.seed,
        threads=effort.threads,
    )
    return train(
        network,
        session.source,
        settings,
        teacher=teacher,
        checkpoint=checkpoint_of(session, trial),
        resume=True,
        on_progress=session.training_progress(f"train {trial.id}"),
    )


def checkpoint_of(session: RunContext, trial: Trial) -> Path:
    """Where the trial's full training is kept."""
    return session.folder.training(trial.id)
