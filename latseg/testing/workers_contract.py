"""The conformance suite of workers. Subclass it, name the class ``Test...``, and say how to make them."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator

import pytest

from search.cluster.training_job import answered
from search.cluster.workers import Finished, Workers

_LONGEST_S = 120.0


class WorkersContract(ABC):
    """The contract of ``search.cluster.workers.Workers``."""

    @abstractmethod
    def make(self) -> Workers:
        """Workers with nothing to do."""

    @abstractmethod
    def jobs(self) -> list[str]:
        """Three different jobs that do not take long."""

    @pytest.fixture
    @classmethod
    def workers(cls) -> Iterator[Workers]:
        workers = cls().make()
        yield workers
        workers.close()

    def all_of(self, workers: Workers, count: int) -> dict[str, str | None]:
        """Answers by key, when so many have come."""
        found: list[Finished] = []
        end = time.monotonic() + _LONGEST_S
        while len(found) < count and time.monotonic() < end:
            found += workers.wait(1.0)
        assert len({each.key for each in found}) == len(found) == count
        return {each.key: each.answer for each in found}

    def test_every_job_is_answered_once_and_as_here(self, workers: Workers) -> None:
        jobs = dict(zip("abc", self.jobs(), strict=True))
        before = workers.fleet()
        assert before.workers >= 1
        assert before.busy == 0
        for key, job in jobs.items():
            workers.submit(key, job)
        assert 1 <= workers.fleet().busy <= workers.fleet().workers
        answers = self.all_of(workers, 3)
        here = {key: answered(job) for key, job in jobs.items()}
        assert {key: json.loads(answer or "") for key, answer in answers.items()} == {
            key: json.loads(answer) for key, answer in here.items()
        }
        after = workers.fleet()
        assert (after.busy, after.finished) == (0, before.finished + 3)
        assert workers.wait(0.0) == []

    def test_a_key_may_be_used_again_for_another_job(self, workers: Workers) -> None:
        first, second, _ = self.jobs()
        answers = []
        for job in (first, second):
            workers.submit("key", job)
            answers.append(self.all_of(workers, 1)["key"])
        assert answers == [answered(first), answered(second)]

    def test_what_a_job_raises_is_told(self, workers: Workers) -> None:
        workers.submit("a", "no job")
        found: list[Finished] = []
        end = time.monotonic() + _LONGEST_S
        while not found and time.monotonic() < end:
            found = workers.wait(1.0)
        (finished,) = found
        assert (finished.key, finished.answer) == ("a", None)
        assert "Invalid JSON" in str(finished.error)

    def test_closed_workers_have_nothing_to_do(self, workers: Workers) -> None:
        workers.submit("a", self.jobs()[0])
        workers.close()
        workers.close()
        assert workers.wait(0.0) == []
        assert workers.fleet().busy == 0
