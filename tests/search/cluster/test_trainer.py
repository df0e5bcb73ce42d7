"""Candidates that are trained by workers: the same search as without them, whatever happens to the workers."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from typing_extensions import override

from foundation.errors import UserError
from foundation.progress import Progress
from latseg.testing.workers_contract import WorkersContract
from search.cluster import training_job as jobs
from search.cluster.finished_trainings import read_reached, write_reached
from search.cluster.fleet_progress import FleetProgress
from search.cluster.training_job import answered, quality_of, training_job
from search.cluster.workers import Finished, Fleet
from search.evaluators.trainer import checkpoint
from search.run_config import RunConfig
from search.spaces.registry import SPACES
from tests.search.cluster.toys import (
    SPACE,
    TARGET,
    WATCHED,
    InProcessWorkers,
    WatchedSpace,
    noted,
    same_trials,
    toy_config,
    toy_search,
)


@pytest.fixture(autouse=True)
def watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file in which trainings are noted."""
    monkeypatch.setitem(SPACES.__dict__, "targets", {**SPACES.builtin, SPACE: TARGET})
    monkeypatch.setenv(WATCHED, str(tmp_path / "trainings.txt"))
    jobs._opened.cache_clear()
    return tmp_path / "trainings.txt"


@pytest.fixture
def config(watched: Path) -> RunConfig:
    return toy_config()


def job(config: RunConfig, widths: list[int]) -> str:
    space = WatchedSpace(3)
    data = space.make_task(config.task_options(None)).fingerprint
    return training_job(config, space.of(widths), 3, data)


class TestInProcessWorkers(WorkersContract):
    @override
    def make(self) -> InProcessWorkers:
        return InProcessWorkers()

    @override
    def jobs(self) -> list[str]:
        config = toy_config()
        return [job(config, widths) for widths in ([1], [2], [3, 1])]


@pytest.mark.parametrize("evaluator", ["training:epochs=3", "regression:nets=5,examples=100"])
def test_a_search_with_workers_is_the_search_without_them(tmp_path: Path, watched: Path, evaluator: str) -> None:
    config, workers = toy_config(evaluator=evaluator), InProcessWorkers()
    here = toy_search(tmp_path / "here", config, None)
    trained_here = noted(watched, "ends")
    watched.unlink()
    elsewhere = toy_search(tmp_path / "elsewhere", config, workers)
    assert same_trials(here, elsewhere)
    assert sorted(noted(watched, "ends")) == sorted(workers.submitted) == sorted(trained_here)
    assert noted(watched, "ends") != trained_here, "the workers finish in another order"


class _Stopped(InProcessWorkers):
    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    @override
    def wait(self, seconds: float) -> list[Finished]:
        if self.finished == self.after:
            raise KeyboardInterrupt
        return super().wait(seconds)


@pytest.mark.parametrize(
    ("evaluator", "after"), [("training:epochs=3", 3), ("training:epochs=3", 8), ("regression:nets=5,examples=100", 3)]
)
def test_an_interrupted_search_trains_nothing_again_that_was_finished(
    tmp_path: Path, watched: Path, after: int, evaluator: str
) -> None:
    config = toy_config(evaluator=evaluator)
    whole = toy_search(tmp_path / "whole", config, InProcessWorkers())
    count = len(noted(watched, "ends"))
    watched.write_text("")
    with pytest.raises(KeyboardInterrupt):
        toy_search(tmp_path / "parts", config, _Stopped(after))
    assert len(noted(watched, "ends")) == after
    rest = toy_search(tmp_path / "parts", config, InProcessWorkers())
    assert same_trials(whole, rest)
    assert len(set(noted(watched, "ends"))) == len(noted(watched, "ends")) == count


def test_a_training_whose_worker_ends_is_given_away_again(
    tmp_path: Path, config: RunConfig, caplog: pytest.LogCaptureFixture
) -> None:
    here, workers = toy_search(tmp_path / "here", config, None), InProcessWorkers()
    first, other = here.trials[0].id, here.trials[4].id
    workers.lose = [first, first, other]
    with caplog.at_level(logging.WARNING):
        assert same_trials(here, toy_search(tmp_path / "elsewhere", config, workers))
    assert sorted(workers.submitted) == sorted([*(trial.id for trial in here.trials), first, first, other])
    assert f"{first} is trained again, since its worker has ended: its machine is gone" in caplog.text


def test_a_training_that_ends_every_worker_is_told(tmp_path: Path, config: RunConfig) -> None:
    workers = InProcessWorkers()
    first = toy_search(tmp_path / "here", config, None).trials[0].id
    workers.lose = [first] * 3
    with pytest.raises(UserError, match=f"training of {first}: got 3 workers that ended before it, the last: its mach"):
        toy_search(tmp_path / "elsewhere", config, workers)


class _Together(InProcessWorkers):
    """All jobs finish together, those of ``refused`` first."""

    refused = 2

    @override
    def wait(self, seconds: float) -> list[Finished]:
        found = [each for _ in range(len(self.waiting)) for each in InProcessWorkers.wait(self, seconds)]
        wrong = [Finished(each.key, None, error=ValueError("no memory")) for each in found[: self.refused]]
        return wrong + found[self.refused :]


def test_what_finishes_together_with_a_failure_is_kept(tmp_path: Path, watched: Path, config: RunConfig) -> None:
    with pytest.raises(ValueError, match="no memory"):
        toy_search(tmp_path, config, _Together())
    trained = noted(watched, "ends")
    assert len(trained) == 6
    assert len(list((tmp_path / "evaluations").glob("*.json"))) == len(trained) - _Together.refused


def test_what_a_worker_refuses_is_told_with_its_name(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "worker-7")
    text = job(config, [1])
    other = json.loads(text) | {"data": "of another folder"}
    with pytest.raises(UserError, match=r"data vectors:64 on worker-7: got other examples .*; copy the data"):
        quality_of(answered(json.dumps(other)))
    monkeypatch.setattr(jobs, "version", lambda name: "0.0")
    with pytest.raises(UserError, match=r"latseg on worker-7: got 0\.0; expected \d.*, as where the search runs"):
        quality_of(answered(text))


def test_a_worker_keeps_the_data_open(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    make = WatchedSpace.make_task

    def note(self: WatchedSpace, options: object) -> object:
        opened.append("opened")
        return make(self, options)

    texts = [job(config, widths) for widths in ([1], [2])]
    monkeypatch.setattr(WatchedSpace, "make_task", note)
    assert len({answered(text) for text in texts}) == 2
    assert opened == ["opened"]


def test_a_training_that_was_interrupted_here_leaves_no_checkpoint(tmp_path: Path, config: RunConfig) -> None:
    first = toy_search(tmp_path / "here", config, None).trials[0]
    left = checkpoint(tmp_path / "elsewhere", first.architecture)
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half a training")
    toy_search(tmp_path / "elsewhere", config, InProcessWorkers())
    assert not left.exists()


def test_what_was_reached_is_of_so_many_epochs(tmp_path: Path) -> None:
    net = WatchedSpace(3).of([1])
    assert read_reached(tmp_path, net, 3) is None
    write_reached(tmp_path, net, 0.25, 3)
    assert read_reached(tmp_path, net, 3) == 0.25
    assert read_reached(tmp_path, net, 4) is None
    (path,) = tmp_path.rglob("*.json")
    path.write_text(path.read_text().replace("0.25", "0.75"))
    with pytest.raises(UserError, match=r"checksum.*trained again"):
        read_reached(tmp_path, net, 3)


def test_a_training_that_diverges_is_worth_nothing(
    tmp_path: Path, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.search.cluster.toys.answered", lambda _: json.dumps({"quality": float("nan")}))
    found = toy_search(tmp_path / "elsewhere", config, InProcessWorkers())
    assert {trial.quality for trial in found.trials} == {0.0}


def test_progress_tells_of_the_workers_between_the_trials(tmp_path: Path, config: RunConfig) -> None:
    seen: list[Progress] = []
    toy_search(tmp_path / "elsewhere", config, InProcessWorkers(), seen.append)
    notes = [moment.note for moment in seen if moment.stage == "search"]
    assert notes[-1] == "3 workers, 0 busy, 12 trainings finished"
    assert any(note.startswith("3 workers, 3 busy") for note in notes)
    assert len(notes) > 12, "it is told more often than trials are added"


def test_the_workers_join_the_note_of_a_moment() -> None:
    seen: list[Progress] = []
    progress: Callable[[Progress], None] = (told := FleetProgress(seen.append))
    told.tell(Fleet(2, 0, 0, 0))
    progress(Progress("search", 1, 5, "best 0.5"))
    told.tell(Fleet(2, 0, 0, 0))
    told.tell(Fleet(1, 1, 4, 1))
    assert [(moment.done, moment.note) for moment in seen] == [
        (1, "best 0.5, 2 workers, 0 busy, 0 trainings finished"),
        (1, "best 0.5, 1 worker, 1 busy, 4 trainings finished, 1 machine lost"),
    ]
