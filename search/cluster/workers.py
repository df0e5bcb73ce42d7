"""The contract of workers: something that does jobs elsewhere, several at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fleet:
    """The state of all workers."""

    workers: int
    """Jobs that can run at a time."""
    busy: int
    finished: int
    """Jobs that were answered since the search was connected."""
    lost: int
    """Machines that were lost since the search was connected."""

    def __str__(self) -> str:
        workers, finished = _number(self.workers, "worker"), _number(self.finished, "training")
        lost = f", {_number(self.lost, 'machine')} lost" if self.lost else ""
        return f"{workers}, {self.busy} busy, {finished} finished{lost}"


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


@dataclass(frozen=True, slots=True)
class Finished:
    """What became of a job."""

    key: str
    answer: str | None
    """None where the worker ended before the job did, or the job raised an error."""
    reason: str = ""
    """Why there is no answer."""
    error: Exception | None = None
    """What the job raised."""


class Workers(ABC):
    """Does jobs, which are JSON texts, by ``search.cluster.training_job.answered``, in whatever order.

    Nothing but such texts goes to a worker and comes back. Every implementation passes
    ``latseg.testing.workers_contract``.
    """

    @abstractmethod
    def submit(self, key: str, job: str) -> None:
        """Gives a job away; ``key`` is that of no job that is still to be finished."""

    @abstractmethod
    def wait(self, seconds: float) -> list[Finished]:
        """Jobs that have finished and were not returned yet; none of them after so many seconds without one."""

    @abstractmethod
    def fleet(self) -> Fleet:
        """The state of the workers now."""

    @abstractmethod
    def close(self) -> None:
        """Stops what is still running; may be called twice."""
