"""Candidates are trained by workers, many at a time."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from typing_extensions import override

from foundation.errors import UserError
from foundation.progress import OnProgress, ignore_progress
from search.architecture import Architecture
from search.cluster.finished_trainings import read_reached, write_reached
from search.cluster.training_job import quality_of
from search.cluster.workers import Finished, Fleet, Workers
from search.evaluators.trainer import Trainer, checkpoint

_logger = logging.getLogger(__name__)

_POLL_S = 1.0
"""After so long without a result the state of the workers is told again."""
_TRIES = 3
"""Times that a training is given away whose worker ends before it."""


class ClusterTrainer(Trainer):
    """Gives each training away; keeps what it gives as soon as it is there, whosever turn it is.

    Args:
        workers: that train.
        job: text of the job for a candidate and a number of epochs.
        folder: of the run.
        on_fleet: called with the state of the workers whenever something may have changed.
    """

    def __init__(
        self,
        workers: Workers,
        job: Callable[[Architecture, int], str],
        folder: Path,
        on_fleet: Callable[[Fleet], None],
    ) -> None:
        self._workers = workers
        self._job = job
        self._folder = folder
        self._on_fleet = on_fleet
        self._lost: Counter[str] = Counter()

    @override
    def qualities(
        self, architectures: Sequence[Architecture], *, epochs: int, on_progress: OnProgress = ignore_progress
    ) -> Iterator[float]:
        """As the contract says; the moments of a training that runs elsewhere are not reported."""
        reached = {one: read_reached(self._folder, one, epochs) for one in architectures}
        left = {one.id: one for one, quality in reached.items() if quality is None}
        for key, one in left.items():
            self._workers.submit(key, self._job(one, epochs))
        self._on_fleet(self._workers.fleet())
        for one in architectures:
            while (quality := reached[one]) is None:
                reached |= self._arrived(left, epochs)
                self._on_fleet(self._workers.fleet())
            yield quality

    def _arrived(self, left: Mapping[str, Architecture], epochs: int) -> dict[Architecture, float | None]:
        """What finished together; all of it is kept before an error is raised."""
        reached, errors = {}, []
        for finished in self._workers.wait(_POLL_S):
            candidate = left[finished.key]
            try:
                reached[candidate] = self._received(finished, candidate, epochs)
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return reached

    def _received(self, finished: Finished, candidate: Architecture, epochs: int) -> float | None:
        """What the candidate reached; None where its worker has ended, and it was given away again."""
        if finished.error is not None:
            raise finished.error
        if finished.answer is None:
            self._lost[finished.key] += 1
            if self._lost[finished.key] == _TRIES:
                raise UserError(
                    f"training of {candidate.id}", seen=f"{_TRIES} workers that ended before it, the last: "
                    f"{finished.reason}", expected="a worker that finishes it",
                    remedy="look into the logs of the cluster (often a machine has too little memory), then resume",
                )  # fmt: skip
            _logger.warning("%s is trained again, since its worker has ended: %s", candidate.id, finished.reason)
            self._workers.submit(finished.key, self._job(candidate, epochs))
            return None
        quality = quality_of(finished.answer)
        if math.isfinite(quality):  # a training that diverged is not kept
            write_reached(self._folder, candidate, quality, epochs)
        # Of a training that was interrupted here: it will not be continued.
        checkpoint(self._folder, candidate).unlink(missing_ok=True)
        return quality
