"""The store of trials: round trip, append-only, two writers, corrupt and newer files, kill -9."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from foundation.errors import UserError
from search.architecture import Architecture
from search.constraints.budgets import ConstraintCheck
from search.known_prediction import KnownPrediction
from search.trial import CERTIFIED, EVALUATED, REJECTED, UNCERTIFIED, DeviceResult, Trial
from search.trials import TrialStore
from tests.search.toy import ToySpace


def make_trials(count: int) -> list[Trial]:
    return [
        Trial(
            architecture=architecture,
            generation=position // 2,
            parameters=100 + position,
            flops=10**10 + position,
            predicted_ms={"a": 1.5, "b": 2.5},
            upper_ms={"a": 2.0, "b": 3.0},
            quality=0.5 + position / 100,
            seconds=0.25,
            created="2026-01-01T00:00:00.000+00:00",
        )
        for position, architecture in enumerate(dict.fromkeys(ToySpace().sample(2 * count, Random(0))))
    ][:count]


def test_trials_come_back_as_they_were_in_their_order(tmp_path: Path) -> None:
    trials = make_trials(5)
    with TrialStore(tmp_path / "trials.sqlite") as store:
        for trial in trials:
            store.add(trial)
        assert store.trials() == trials
    with TrialStore(tmp_path / "trials.sqlite") as store:
        assert store.trials() == trials


def test_results_decide_the_status(tmp_path: Path) -> None:
    trials = make_trials(4)
    holding = DeviceResult("a", 1.4, (1.3, 1.5), holds=True)
    failed = DeviceResult("b", None, None, holds=False, reason="out of memory")
    simulated = DeviceResult("b", 1.0, (0.9, 1.1), holds=True, simulated=True)
    with TrialStore(tmp_path / "trials.sqlite") as store:
        for trial in trials:
            store.add(trial)
        store.add_results(trials[2], [holding, failed])
        store.add_results(trials[0], [holding, replace(holding, device="b")])
        store.add_results(trials[1], [holding, simulated])
        found = store.trials()
        assert store.measured() == [trials[i].id for i in (2, 0, 1)]
        assert store.measured_trials() == [found[i] for i in (2, 0, 1)]
        assert store.rejected() == {"measured:b": 1}
    assert [trial.status for trial in found] == [CERTIFIED, UNCERTIFIED, REJECTED, EVALUATED]
    assert [trial.certified for trial in found] == [True, False, False, False]
    assert found[2].results == (holding, failed)
    assert found[2].rejected == ("measured:b",)
    assert found[2].measured_ms == {"a": 1.4}


def test_rejections_are_counted_once_for_each_generation(tmp_path: Path) -> None:
    one, two = (ConstraintCheck(trial.architecture, 1, violated=("parameters",)) for trial in make_trials(2))
    both = replace(two, violated=("latency:a", "latency:b"))
    with TrialStore(tmp_path / "trials.sqlite") as store:
        store.add_rejections(0, [one, both], [True, False])
        store.add_rejections(0, [one, both], [True, False])
        store.add_rejections(1, [one], [False])
        assert store.rejected() == {"latency:a": 1, "latency:b": 1, "parameters": 2}
        assert store.repaired() == 1


def test_nothing_is_ever_overwritten(tmp_path: Path) -> None:
    trial = make_trials(1)[0]
    with TrialStore(tmp_path / "trials.sqlite") as store:
        store.add(trial)
        store.add(replace(trial, quality=0.0))
        store.add_results(trial, [DeviceResult("a", 1.0, (0.9, 1.1), holds=True)])
        store.add_results(trial, [DeviceResult("a", 9.0, (8.0, 9.9), holds=False)])
        assert [found.quality for found in store.trials()] == [trial.quality]
        assert store.trials()[0].certified


def test_two_writers(tmp_path: Path) -> None:
    trials = make_trials(6)
    with TrialStore(tmp_path / "trials.sqlite") as one, TrialStore(tmp_path / "trials.sqlite") as two:
        for position, trial in enumerate(trials):
            (one if position % 2 else two).add(trial)
        two.add(trials[0])
        assert one.trials() == two.trials() == trials


def test_another_runs_store(tmp_path: Path) -> None:
    with TrialStore(tmp_path / "trials.sqlite") as store:
        store.identify({"space": "toy", "seed": "0"})
        store.identify({"space": "toy", "seed": "0"})
        with pytest.raises(UserError, match="got seed 1; expected seed 0"):
            store.identify({"space": "toy", "seed": "1"})


def test_not_a_store(tmp_path: Path) -> None:
    path = tmp_path / "trials.sqlite"
    path.write_bytes(b"no database at all, but long enough to be one" * 50)
    with pytest.raises(UserError, match="start a new run") as refused:
        TrialStore(path)
    assert refused.value.exit_code == 2
    with pytest.raises(UserError, match="can be written"):
        TrialStore(path / "below a file" / "trials.sqlite")


def test_a_damaged_page_is_told(tmp_path: Path) -> None:
    path = tmp_path / "trials.sqlite"
    with TrialStore(path) as store:
        for trial in make_trials(40):
            store.add(trial)
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(UserError, match="trial store"), TrialStore(path) as store:
        store.trials()


def test_a_damaged_row_is_told(tmp_path: Path) -> None:
    path = tmp_path / "trials.sqlite"
    with TrialStore(path) as store:
        store.add(make_trials(1)[0])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE trials SET upper_ms = '{'")
    connection.close()
    with TrialStore(path) as store, pytest.raises(UserError, match=r"intact SQLite file.*new run"):
        store.trials()


@pytest.mark.parametrize(
    "change",
    [
        "trials SET quality = 0.9",
        "trials SET quality = 9e999, checksum = NULL",
        "trials SET upper_ms = '[]', checksum = NULL",
        """trials SET upper_ms = '{"a": NaN}', checksum = NULL""",
        "trials SET id = 'another', checksum = NULL",
        "trials SET architecture = '{}', checksum = NULL",
        "findings SET holds = 0",
        "findings SET measured_ms = 9e999, checksum = NULL",
        "rejections SET violated = 'latency:b'",
        "rejections SET repaired = 1",
        "rejections SET generation = -1, checksum = NULL",
        "predictions SET latency_ms = 1",
        "predictions SET latency_ms = 9e999, checksum = NULL",
    ],
)
def test_a_changed_value_is_told(tmp_path: Path, change: str) -> None:
    runs = tmp_path / "runs" / "run"
    (trial,) = make_trials(1)
    trial = replace(trial, predictions={"a": KnownPrediction("one", 1.5, 0.1)})
    with TrialStore(runs / "trials.sqlite") as store:
        store.add(trial)
        store.add_results(trial, [DeviceResult("a", 1.4, (1.3, 1.5), holds=True)])
        store.add_rejections(0, [ConstraintCheck(trial.architecture, 1, violated=("latency:a",))], [False])
    with sqlite3.connect(runs / "trials.sqlite") as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(f"UPDATE {change}")
    connection.close()
    with TrialStore(runs / "trials.sqlite") as store, pytest.raises(UserError, match=r"row 1 of .* damaged") as told:
        store.trials()
    assert f"`latseg doctor {tmp_path} --repair`" in str(told.value)


def test_a_changed_identity_is_told(tmp_path: Path) -> None:
    path = tmp_path / "trials.sqlite"
    with TrialStore(path) as store:
        store.identify({"space": "toy", "seed": "0"})
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE identity SET value = '1' WHERE key = 'seed'")
    connection.close()
    with TrialStore(path) as store, pytest.raises(UserError, match="row 2 of identity damaged"):
        store.identify({"space": "toy", "seed": "1"})


def test_a_store_whose_rejections_have_no_checksums(tmp_path: Path) -> None:
    path = tmp_path / "trials.sqlite"
    (trial,) = make_trials(1)
    with TrialStore(path) as store:
        store.identify({"space": "toy"})
        store.add_rejections(0, [ConstraintCheck(trial.architecture, 1, violated=("parameters",))], [True])
    with sqlite3.connect(path) as connection:
        for table in ("identity", "rejections"):
            connection.execute(f"ALTER TABLE {table} DROP COLUMN checksum")
    connection.close()
    with TrialStore(path, read_only=True) as store:
        assert store.trials() == []
    with TrialStore(path) as store:
        store.identify({"space": "toy"})
        store.add_rejections(1, [ConstraintCheck(trial.architecture, 1, violated=("parameters",))], [False])
        assert store.trials() == []
        assert (store.rejected(), store.repaired()) == ({"parameters": 2}, 1)


def test_a_store_written_before_files_were_marked(tmp_path: Path) -> None:
    path = tmp_path / "trials.sqlite"
    trials = make_trials(2)
    with TrialStore(path) as store:
        add_all(store, trials)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA application_id = 0")
    connection.close()
    with TrialStore(path) as store:
        assert store.trials() == trials
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (TrialStore.schema.application_id,)
        connection.execute("PRAGMA application_id = 0")
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    with pytest.raises(UserError, match="another program"):
        TrialStore(path)


def test_a_newer_schema(tmp_path: Path) -> None:
    path = tmp_path / "trials.sqlite"
    TrialStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {TrialStore.schema.version + 1}")
    connection.close()
    with pytest.raises(UserError, match=f"got schema version {TrialStore.schema.version + 1}; expected at most"):
        TrialStore(path)


def add_all(store: TrialStore, trials: list[Trial]) -> None:
    for trial in trials:
        store.add(trial)


def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path) -> None:
    trials = make_trials(300)
    with TrialStore(tmp_path / "trials.sqlite") as store:
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages + 5}")
        with pytest.raises(UserError, match="disk is full; expected room on the disk"):
            add_all(store, trials)
        found = store.trials()
        assert 0 < len(found) < 300
        assert found == trials[: len(found)]


_WRITER = """
import sys
from pathlib import Path
from search.trials import TrialStore
from tests.search.test_trials import make_trials
with TrialStore(Path(sys.argv[1])) as store:
    for trial in make_trials(400):
        store.add(trial)
        sys.stdout.write("stored\\n")
        sys.stdout.flush()
"""


@pytest.mark.parametrize("after", [3, 17])
def test_kill_9_loses_nothing_that_was_stored(tmp_path: Path, after: int) -> None:
    path = tmp_path / "trials.sqlite"
    with subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for _ in range(after):
            writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
    with TrialStore(path) as store:
        found = store.trials()
        assert len(found) >= after
        assert found == make_trials(400)[: len(found)]
        store.add(make_trials(400)[-1])
        assert len(store.trials()) == len(found) + 1


def test_many_trials_share_what_they_have_in_common_and_are_not_encoded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TrialStore(tmp_path / "trials.sqlite") as store:
        add_all(store, make_trials(20))
        monkeypatch.setattr(Architecture, "to_json", lambda _: pytest.fail("encoded again"))
        found = store.trials()
    slots = len(found[0].architecture.choices)
    pairs = {id(pair) for trial in found for pair in trial.architecture.choices}
    assert len(pairs) == len({pair for trial in found for pair in trial.architecture.choices}) < 20 * slots
