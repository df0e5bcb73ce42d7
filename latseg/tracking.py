"""What is logged of a run: loss, learning rate and mean IoU of its trainings, and the trials of its search."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from foundation.interruption import uninterrupted
from foundation.progress import OnProgress, Progress
from latseg.tracker import Tracker

SCALARS = ("loss", "learning_rate", "mean_iou")
"""Fields of ``search.progress.SearchProgress``, and names in the tracker; mean IoU is that on the validation part."""


@contextmanager
def tracked(make: Callable[[], Tracker], config: Mapping[str, Any], on_progress: OnProgress) -> Iterator[OnProgress]:
    """The callback that logs trainings and trials, and passes each moment to ``on_progress``.

    A series is named after its stage, such as ``teacher``; that of the trials is ``search``. A moment without values is
    only passed on.

    Args:
        make: the tracker of a series; trials and trainings, which may alternate, have one each.
        config: of the run.
        on_progress: called with each moment.

    Raises:
        UserError: the tracker's package is not installed, or it cannot log.
    """
    trials, training = _Series(make(), config), _Series(make(), config)

    def report(progress: Progress) -> None:
        trials.log(progress, _values_of_trial(progress))
        moment = getattr(progress, "training", None) or progress
        training.log(moment, _values_of_training(moment))
        on_progress(progress)

    with closing(training), closing(trials):
        yield report


class _Series:
    """One series at a time: another stage begins another one."""

    def __init__(self, tracker: Tracker, config: Mapping[str, Any]) -> None:
        self._tracker, self._config = tracker, config
        self._stage: str | None = None

    def log(self, moment: Progress, values: Mapping[str, float]) -> None:
        """Logs the values of a moment, where it has some."""
        if not values:
            return
        with uninterrupted():
            if self._stage != moment.stage:
                self.close()
                self._tracker.start(moment.stage, self._config, moment.done)
                self._stage = moment.stage
            self._tracker.log(values, moment.done)

    def close(self) -> None:
        """Ends the series, where one was begun."""
        if self._stage is not None:
            self._stage = None
            with uninterrupted():
                self._tracker.finish()


def _values_of_training(moment: Progress) -> dict[str, float]:
    values = {name: getattr(moment, name, None) for name in SCALARS}
    return {name: value for name, value in values.items() if value is not None}


def _values_of_trial(moment: Progress) -> dict[str, float]:
    """Of a trial that was just evaluated; none where it was measured."""
    trial = getattr(moment, "trial", None)
    if trial is None or trial.results:
        return {}
    return {
        "quality": trial.quality,
        "best_quality": getattr(moment, "best_quality", trial.quality),
        "parameters": trial.parameters,
        **{f"predicted_ms/{device}": ms for device, ms in trial.predicted_ms.items()},
        **{f"bound_ms/{device}": ms for device, ms in trial.upper_ms.items()},
    }
