"""Several processes share the items of a campaign, whatever becomes of one of them."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from devices.measurement import FailedMeasurement
from foundation.process_identity import this_process
from latency import claims
from latency.campaign import run_campaign
from latency.campaign_items import campaign_items
from latency.operators.synthesize import with_tensor_names
from latency.store import MeasurementStore
from tests.foundation.test_process_identity import ended
from tests.latency.graphs import small_net
from tests.latency.measurements import INFO, OTHER, measurement
from tests.latency.test_campaign import QUICK, ROOT, Watched, nets

DEVICE = INFO.fingerprint
NOTHING: frozenset[str] = frozenset()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "measurements.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[MeasurementStore]:
    with MeasurementStore(path) as opened:
        yield opened


def claimed(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {label for (label,) in connection.execute("SELECT label FROM claims")}


def test_what_one_has_claimed_the_other_does_not_get(store: MeasurementStore, path: Path) -> None:
    first, second = store.claims(DEVICE), store.claims(DEVICE)
    assert first.take("abc") == claims.Taken(frozenset("abc"), NOTHING, NOTHING)
    assert second.take("bcd") == claims.Taken(frozenset("d"), NOTHING, frozenset("bc"))
    assert first.take("abc").own == set("abc"), "one's own claims stay"
    assert store.claims(OTHER.fingerprint).take("a").own == {"a"}, "devices are apart"
    first.release()
    assert claimed(path) == {"d", "a"}
    assert second.take("abcd").own == set("abcd")


def test_a_claim_ends_with_the_result(store: MeasurementStore, path: Path) -> None:
    own = store.claims(DEVICE)
    own.take("abc")
    assert store.add_measurement(measurement("a"), small_net(), source="campaign", claims=own)
    assert store.add_failure(FailedMeasurement("b", "", INFO, "it crashed", "now"), source="campaign", claims=own)
    assert claimed(path) == {"c"}
    assert store.claims(DEVICE).take("abc") == claims.Taken(NOTHING, frozenset("ab"), frozenset("c"))
    own.release()
    assert claimed(path) == set()


def test_an_item_that_is_wanted_more_often_is_not_settled(store: MeasurementStore) -> None:
    own = store.claims(DEVICE)
    for times in (1, 2):
        assert own.take("a", times=times).own == {"a"}
        assert store.claims(DEVICE).take("a", times=times).others == {"a"}
        assert store.add_measurement(measurement("a"), small_net(), source="campaign", claims=own)
        assert own.take("a", times=times).settled == {"a"}
    assert store.measured_labels(DEVICE, times=2) == {"a"}
    assert store.measured_labels(DEVICE, times=3) == set()


def test_old_failures_do_not_settle_an_item_that_is_tried_again(store: MeasurementStore) -> None:
    store.add_failure(FailedMeasurement("a", "", INFO, "it crashed", "now"), source="campaign")
    again = store.claims(DEVICE, retry_failed=True)
    assert store.claims(DEVICE).take("a").settled == {"a"}
    assert again.take("a").own == {"a"}
    store.add_failure(FailedMeasurement("a", "", INFO, "it crashed", "now"), source="campaign", claims=again)
    assert again.take("a").settled == {"a"}, "another process has tried it meanwhile"


def test_the_claim_of_a_dead_process_is_void(
    store: MeasurementStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = ended()
    monkeypatch.setattr(claims, "this_process", lambda: dead)
    store.claims(DEVICE).take("a")
    elsewhere = replace(dead, host="elsewhere")
    monkeypatch.setattr(claims, "this_process", lambda: elsewhere)
    store.claims(DEVICE).take("b")
    monkeypatch.setattr(claims, "this_process", this_process)
    assert store.claims(DEVICE).take("ab") == claims.Taken(frozenset("a"), NOTHING, frozenset("b"))


@pytest.mark.parametrize("later_s", [claims.STALE_S + 1, -claims.STALE_S - 1])
def test_a_result_that_comes_after_its_claim_was_taken_over_is_dropped(
    store: MeasurementStore, monkeypatch: pytest.MonkeyPatch, later_s: float
) -> None:
    slow, quick = store.claims(DEVICE), store.claims(DEVICE)
    slow.take("a")
    assert quick.take("a").own == NOTHING
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + later_s)
    assert quick.take("a").own == {"a"}
    assert not store.add_measurement(measurement("a"), small_net(), source="campaign", claims=slow)
    assert not store.add_failure(FailedMeasurement("a", "", INFO, "late", "now"), source="campaign", claims=slow)
    assert store.add_measurement(measurement("a"), small_net(), source="campaign", claims=quick)
    assert len(store.measurements(DEVICE)) == 1
    assert store.failures(DEVICE) == []


def test_one_after_the_other(path: Path) -> None:
    order: list[str] = []
    with MeasurementStore(path) as store, store.claims(DEVICE).turn("check"):

        def other() -> None:
            with MeasurementStore(path) as its, its.claims(DEVICE).turn("check"):
                order.append("second")

        thread = threading.Thread(target=other)
        thread.start()
        time.sleep(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert claimed(path) == set()


def test_a_store_from_before_the_claims(path: Path) -> None:
    """That of the first version has no such table, and the same version number."""
    with MeasurementStore(path) as store:
        store.add_measurement(measurement("a"), with_tensor_names(small_net()), source="campaign")
    with closing(sqlite3.connect(path)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert "claims" not in tables
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    with MeasurementStore(path, read_only=True) as store:
        assert store.measured_labels(DEVICE) == {"a"}
    with MeasurementStore(path) as store:
        assert store.claims(DEVICE).take("ab").own == {"b"}
    with MeasurementStore(path, read_only=True) as store:
        assert store.measured_labels(DEVICE) == {"a"}


def runner(path: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "tests.latency.campaign_runner", str(path), "1"]
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def rows(path: Path) -> list[tuple[str, str]]:
    """Label and measurement of every row, whose numbers are those of one process without interruption."""
    with closing(sqlite3.connect(path)) as connection:
        return sorted(connection.execute("SELECT label, measurement FROM measurements").fetchall())


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    path = tmp_path_factory.mktemp("alone") / "measurements.sqlite"
    with MeasurementStore(path) as store:
        run_campaign(Watched(), store, campaign_items(nets(), 0), protocol=QUICK, group_size=1)
    return rows(path)


@pytest.mark.parametrize("count", [2, 4])
def test_several_processes_measure_everything_once(
    path: Path, uninterrupted: list[tuple[str, str]], count: int
) -> None:
    processes = [runner(path) for _ in range(count)]
    said = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * count, said
    assert sum(len(out.split()) for out, _ in said) == len(uninterrupted)
    assert rows(path) == uninterrupted
    with MeasurementStore(path) as store:
        assert len(list(store._select(int, "SELECT id FROM noise_floors"))) == 1
    assert claimed(path) == set()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("count", [2, 4])
def test_the_others_finish_what_a_killed_process_had_claimed(
    path: Path, uninterrupted: list[tuple[str, str]], count: int
) -> None:
    first, *others = [runner(path) for _ in range(count)]
    assert first.stdout is not None
    first.stdout.readline()
    os.kill(first.pid, signal.SIGKILL)
    said = [process.communicate(timeout=120) for process in others]
    first.communicate()
    assert [process.returncode for process in others] == [0] * len(others), said
    assert rows(path) == uninterrupted
    assert claimed(path) == set()


def test_groups_and_numbers_are_those_of_a_run_without_interruption(tmp_path: Path) -> None:
    graphs = [*nets(), *(nets(9)[6:])]
    items = campaign_items(graphs, 30)
    found = []
    for interrupted in (False, True):
        with MeasurementStore(tmp_path / f"{interrupted}.sqlite") as store:
            for after in Random(1).sample(range(12), 5) if interrupted else ():
                with pytest.raises(KeyboardInterrupt):
                    run_campaign(Watched(interrupt_after=after), store, items, protocol=QUICK, group_size=4)
            run_campaign(Watched(), store, items, protocol=QUICK, group_size=4)
        found.append(rows(tmp_path / f"{interrupted}.sqlite"))
    assert found[0] == found[1]
    assert len(found[0]) == len(items)
