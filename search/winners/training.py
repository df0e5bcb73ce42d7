"""Full training of a winner, or of a known network."""

from __future__ import annotations

from dataclasses import dataclass

from foundation.errors import UserError
from search.architecture import Architecture
from search.run_context import RunContext
from search.spaces.known_network import KnownNetwork
from search.tasks.task import Trained
from search.trial import REJECTED, Trial
from search.trials import TrialStore
from search.winners.selection import won
from search.winners.trained_record import keep_trained_record


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


@dataclass(frozen=True, slots=True)
class KnownNet:
    """The net of a known network's run."""

    architecture: Architecture

    @property
    def id(self) -> str:
        """Id of the architecture."""
        return self.architecture.id


def find_net(context: RunContext, net_id: str | None) -> Trial | KnownNet:
    """The run's known network, which needs no id; in the run of a search the trial with this id.

    Raises:
        UserError: none has it.
    """
    if not isinstance(context.space, KnownNetwork):
        return find_trial(context, net_id or "")
    net = KnownNet(context.space.architecture)
    if net_id not in (None, net.id):
        raise UserError("--winner", seen=repr(net_id), expected=f"{net.id}, the only net", remedy="leave it out")
    return net


def best_net(context: RunContext) -> Trial | KnownNet:
    """The run's known network, or the winner of best quality.

    Raises:
        UserError: the search has no winner.
    """
    if isinstance(context.space, KnownNetwork):
        return find_net(context, None)
    with TrialStore(context.folder.trials) as store:
        winners = won(store.trials())
    if not winners:
        raise UserError(
            f"run {context.config.run}", seen="no winner", expected="a net that keeps its budgets",
            remedy=f"finish it with `latseg search --resume {context.config.run}`, or name a net with --winner",
        )  # fmt: skip
    return winners[0]


def trained_nets(context: RunContext) -> list[Trial | KnownNet]:
    """The nets of the run whose full training has begun."""
    nets: list[Trial | KnownNet]
    if isinstance(context.space, KnownNetwork):
        nets = [KnownNet(context.space.architecture)]
    else:
        with TrialStore(context.folder.trials) as store:
            nets = [*store.trials()]
    return [net for net in nets if context.folder.training(net.id).exists()]


def train_net(context: RunContext, net: Trial | KnownNet, *, epochs: int | None = None) -> Trained:
    """Trains the net in full; continues from its checkpoint, and returns at once where it was finished.

    Raises:
        UserError: measurement rejected the trial, or as ``Task.train``.
    """
    if isinstance(net, Trial) and net.status == REJECTED:
        reasons = "; ".join(f"{result.device}: {result.reason}" for result in net.results if not result.holds)
        raise UserError(
            f"winner {net.id}",
            seen=f"rejected by measurement ({reasons})",
            expected="a net that keeps its budgets",
            remedy="choose another one, or search with a larger budget",
        )
    checkpoint, record = context.folder.training(net.id), context.folder.trained_record(net.id)
    if not checkpoint.exists():
        record.unlink(missing_ok=True)  # of weights that are gone
    trained = context.task.train(
        net.architecture,
        checkpoint=checkpoint,
        epochs=epochs,
        on_progress=context.on_progress,
    )
    keep_trained_record(record, trained.quality)
    return trained
