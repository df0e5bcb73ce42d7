"""A search's trials in a storage of Optuna, so that optuna-dashboard shows them while the search runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Literal

from foundation.errors import UserError
from foundation.progress import OnProgress, Progress
from search.optuna_package import distributions, import_optuna, quiet_optuna
from search.run_config import RunConfig
from search.run_folder import RunFolder
from search.spaces.registry import open_nets
from search.trial import EVALUATED, Trial
from search.trials import TrialStore

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

VALUES: Mapping[str, Literal["maximize", "minimize"]] = {
    "quality": "maximize",
    "bound / budget": "minimize",
    "parameters": "minimize",
}
"""Names and directions of a trial's values; the second one is that of the device where it is worst."""
MEASURED = "measured"
"""User attribute of the study: status of each measured trial by its id, for a finished trial cannot be changed."""


@contextmanager
def mirrored(
    url: str, config: RunConfig, folder: RunFolder, warn: Callable[[str], None], on_progress: OnProgress
) -> Iterator[OnProgress]:
    """The callback that writes each trial into the study of the run's id, and passes each moment to ``on_progress``.

    Trials of the run that the study lacks are added first. A failure later ends the mirror and not the search.

    Args:
        url: of the storage, as SQLAlchemy writes it: ``sqlite:///trials.db``.
        config: of the run.
        folder: of the run.
        warn: called once where a trial cannot be written.
        on_progress: called with each moment.

    Raises:
        UserError: Optuna is not installed, the storage cannot be opened or written, or the run's trials are damaged.
    """
    import_optuna()
    stored = _stored(folder)
    with ExitStack() as stack:
        try:
            mirror = stack.enter_context(_opened(url, config))
            mirror.show(stored)
        except Exception as error:
            raise UserError(
                "--optuna-storage", seen=_first_line(error), expected="a storage that can be written",
                remedy="write for example --optuna-storage sqlite:///trials.db",
            ) from error  # fmt: skip
        failed = False

        def report(progress: Progress) -> None:
            nonlocal failed
            trial: Trial | None = getattr(progress, "trial", None)
            if trial is not None and not failed:
                try:
                    mirror.show([trial])
                except Exception as error:
                    failed = True
                    told = f"trials are no longer written to --optuna-storage ({_first_line(error)})"
                    warn(f"{told}; the search goes on, and --resume with this option adds them")
            on_progress(progress)

        yield report


@contextmanager
def _opened(url: str, config: RunConfig) -> Iterator[_Mirror]:
    with quiet_optuna() as optuna:
        storage = optuna.storages.RDBStorage(url)
    try:
        yield _Mirror(storage, config)
    finally:
        storage.remove_session()
        storage.engine.dispose()


class _Mirror:
    """The study of a run."""

    def __init__(self, storage: RDBStorage, config: RunConfig) -> None:
        with quiet_optuna() as optuna:
            self._study: Study = optuna.create_study(
                storage=storage, study_name=config.run, directions=list(VALUES.values()), load_if_exists=True
            )
            self._study.set_metric_names(list(VALUES))
            # Without an id: a trial that somebody else added to the study.
            self._known = {trial.user_attrs.get("id") for trial in self._study.get_trials(deepcopy=False)}
        self._measured: dict[str, str] = dict(self._study.user_attrs.get(MEASURED, {}))
        space = open_nets(config.space, classes=len(config.classes), sizes=config.sizes)
        self._distributions = distributions(space.slots, categories=True)
        self._limits_ms = {target.device: target.maximum_ms for target in config.targets}

    def show(self, trials: Sequence[Trial]) -> None:
        """Adds those that the study lacks, and the status of those that were measured."""
        with quiet_optuna():
            new = [trial for trial in trials if trial.id not in self._known]
            self._study.add_trials(map(self._frozen, new))
            self._known.update(trial.id for trial in new)
            measured = self._measured | {trial.id: trial.status for trial in trials if trial.status != EVALUATED}
            if measured != self._measured:
                self._study.set_user_attr(MEASURED, measured)
                self._measured = measured

    def _frozen(self, trial: Trial) -> FrozenTrial:
        from optuna.trial import create_trial

        worst = max(trial.upper_ms[device] / limit_ms for device, limit_ms in self._limits_ms.items())
        return create_trial(
            params=dict(trial.architecture.choices),
            distributions=self._distributions,
            values=[trial.quality, worst, trial.parameters],
            user_attrs={
                "id": trial.id,
                "generation": trial.generation,
                "status": trial.status,
                "parameters": trial.parameters,
                "flops": trial.flops,
                **{f"predicted_ms {device}": ms for device, ms in trial.predicted_ms.items()},
                **{f"bound_ms {device}": ms for device, ms in trial.upper_ms.items()},
            },
        )


def _stored(folder: RunFolder) -> list[Trial]:
    if not folder.trials.exists():
        return []
    with TrialStore(folder.trials) as store:
        return store.trials()


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
