"""``search --cluster``: what reaches the search, and what is said where there is no such cluster."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import latseg
from foundation.errors import UserError
from latseg import cli
from latseg.workspace_folder import WorkspaceFolder
from search.cluster import connect
from search.cluster.connect import cluster_workers
from search.cluster.ray_workers import needs, room
from search.options import TrainingOptions
from search.run_context import RunContext
from tests.latseg.conftest import DEVICE

TRAINING = ("--evaluator", "training:epochs=1")
SEARCH = ("search", "-d", DEVICE, "--max-latency", "2ms", "--data", "synthetic:12", "--data-size", "64x64")


class Stub:
    closed = 0

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, TrainingOptions, Stub]]:
    """Addresses that a search connected to, the training whose room it asked for, and the workers it got."""
    seen: list[tuple[str, TrainingOptions, Stub]] = []

    @contextmanager
    def connected(address: str) -> Iterator[str]:
        yield address

    def workers(address: str, training: TrainingOptions) -> Stub:
        seen.append((address, training, Stub()))
        return seen[-1][2]

    monkeypatch.setattr(connect, "connected", connected)
    monkeypatch.setattr(connect, "RayWorkers", workers)
    monkeypatch.setattr(WorkspaceFolder, "predictor", lambda *_: None)
    return seen


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The workers that each search was launched with; it is interrupted."""
    seen: list[object] = []

    def interrupt(_: RunContext, __: object, *, workers: object) -> None:
        seen.append(workers)
        raise KeyboardInterrupt

    monkeypatch.setattr("search.launch.launch", interrupt)
    return seen


def test_the_option_reaches_the_search_and_the_command_that_continues_it(
    connections: list[tuple[str, TrainingOptions, Stub]],
    given: list[object],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    words = ("--workspace", str(tmp_path), *SEARCH, *TRAINING, "--cluster", "head:6379", "--training-threads", "3")
    assert cli.run(list(words)) == 130
    (run,) = (path.parent.name for path in tmp_path.glob("runs/*/run.json"))
    hint = capsys.readouterr().err.splitlines()[-1]
    assert hint.endswith(f"search --resume {run} --cluster head:6379")
    assert cli.run(["--workspace", str(tmp_path), "search", "--resume", run, "--cluster", "auto"]) == 130
    assert cli.run(["--workspace", str(tmp_path), "search", "--resume", run]) == 130
    assert [(address, training.threads) for address, training, _ in connections] == [("head:6379", 3), ("auto", 3)]
    assert given == [connections[0][2], connections[1][2], None]
    assert [stub.closed for _, _, stub in connections] == [1, 1], "also after an interruption"


def test_python_takes_it_too(connections: list[Any], given: list[object], tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        latseg.Workspace(tmp_path).search(
            budgets={DEVICE: "2ms"}, data="synthetic:12", evaluator="regression", cluster="head:1"
        )
    assert [address for address, _, _ in connections] == ["head:1"]
    assert given == [connections[0][2]]


def test_a_curve_takes_it_too(connections: list[Any], given: list[object], tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        latseg.Workspace(tmp_path).curve(
            DEVICE, ["2ms", "1ms"], data="synthetic:12", evaluator="regression", cluster="head:1"
        )
    assert [address for address, _, _ in connections] == ["head:1"]
    assert given == [connections[0][2]]


def test_an_evaluator_that_gives_no_work_away_is_refused(
    connections: list[Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert cli.run(["--workspace", str(tmp_path), *SEARCH, "--cluster", "auto"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "the evaluator pretrained, which gives no work away" in line
    assert "--evaluator training or regression" in line
    assert connections == []
    assert not list(tmp_path.glob("runs/*"))


def test_a_cluster_that_does_not_answer_is_told_in_one_line_and_nothing_is_begun(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(WorkspaceFolder, "predictor", lambda *_: None)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listening.getsockname()[1]}"
    assert cli.run(["--workspace", str(tmp_path), *SEARCH, *TRAINING, "--cluster", address]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"Ray cluster {address}: got no answer" in line
    assert not list(tmp_path.glob("runs/*"))


def test_a_gpu_of_a_cluster_has_no_number() -> None:
    assert needs(TrainingOptions(threads=3)) == {"CPU": 3, "GPU": 0}
    assert needs(TrainingOptions(threads=1, device="cuda")) == {"CPU": 1, "GPU": 1}
    with pytest.raises(UserError, match=r"training device: got cuda:1; .*hands out its GPUs itself; write .*cuda"):
        needs(TrainingOptions(device="cuda:1"))
    assert room({"CPU": 7.0, "memory": 1e9}, {"CPU": 2, "GPU": 0}) == 3
    assert room({"CPU": 7.0, "GPU": 2.0}, {"CPU": 2, "GPU": 1}) == 2
    assert room({"CPU": 7.0}, {"CPU": 2, "GPU": 1}) == 0
    assert room({"GPU": 1.0}, {"CPU": 2, "GPU": 0}) == 0


def test_without_an_address_there_are_no_workers() -> None:
    nothing: Any = None
    with cluster_workers(None, nothing) as workers:
        assert workers is None
