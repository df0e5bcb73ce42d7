"""The store keeps what it acknowledged, whatever happens to its writers, and says what is wrong with its file."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any

import pytest

from devices.measurement import FailedMeasurement, NoiseFloor
from foundation.errors import UserError
from foundation.salvage import rebuild
from latency.operators.synthesize import single_operator, with_tensor_names
from latency.store import MeasurementStore
from tests.latency.graphs import small_net
from tests.latency.measurements import INFO, OTHER, measurement, row

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "workspace" / "measurements.sqlite"


def writer(path: Path, prefix: str, count: int) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-m", "tests.latency.store_writer", str(path), prefix, str(count)]
    return subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def check_integrity(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_measurements_come_back_whole(path: Path) -> None:
    taken = measurement(operators=(row("t0", 1.5), replace(row("t9", 0.5), own_ms=0.25)))
    graph = with_tensor_names(small_net())
    with MeasurementStore(path) as store:
        store.add_measurement(taken, graph, source="winner")
    with MeasurementStore(path) as store:
        (stored,) = store.measurements(INFO.fingerprint)
        assert store.devices() == [INFO]
    assert stored.measurement == taken
    assert stored.graph == graph
    assert [operator.tensors for operator in stored.graph.operators] == [o.tensors for o in graph.operators]
    assert stored.source == "winner"


def test_the_latest_measurement_of_a_graph_is_found_under_any_label(path: Path) -> None:
    graph = small_net()
    with MeasurementStore(path) as store:
        assert store.latest_of(INFO.fingerprint, graph) is None
        store.add_measurement(measurement("a"), with_tensor_names(graph), source="campaign")
        store.add_measurement(measurement("b"), graph, source="user")
        store.add_measurement(measurement("c", device=OTHER), graph, source="user")
        other = replace(graph, operators=(*graph.operators[:-1], replace(graph.operators[-1], kind="Other")))
        store.add_measurement(measurement("d"), other, source="user")
        found = store.latest_of(INFO.fingerprint, graph)
        assert found is not None
        assert (found.measurement.label, found.source) == ("b", "user")


def test_devices_are_kept_apart(path: Path) -> None:
    with MeasurementStore(path) as store:
        store.add_measurement(measurement("a"), small_net(), source="campaign")
        store.add_measurement(measurement("b", device=OTHER), small_net(), source="campaign")
        assert store.measured_labels(INFO.fingerprint) == {"a"}
        assert store.measured_labels(OTHER.fingerprint) == {"b"}
        assert store.devices() == [INFO, OTHER]


def test_samples_join_operator_times(path: Path) -> None:
    graph = with_tensor_names(small_net())
    with MeasurementStore(path) as store:
        store.add_measurement(measurement(operators=(row("t3", 1.5), row("t9", 0.5))), graph, source="campaign")
        (sample,) = store.samples(INFO.fingerprint)
    assert sample.graph == graph
    assert not sample.single_operator
    assert sum(kernel.ms for kernel in sample.kernels) == pytest.approx(sample.latency_ms)
    assert sample.kernels[0].operators == (0, 1, 2, 3)


def test_single_operator_models_give_the_time_of_the_kernel_itself(path: Path) -> None:
    graph = with_tensor_names(single_operator(small_net().operators[0]))
    rows = (replace(row("t0", 2.0), own_ms=0.25),)
    with MeasurementStore(path) as store:
        store.add_measurement(measurement(operators=rows), graph, source="operator")
        (sample,) = store.samples(INFO.fingerprint)
    assert sample.single_operator
    assert (sample.latency_ms, sample.kernels[0].ms) == (2.0, 0.25)


def test_samples_take_the_median_of_a_graph_and_not_the_latest(path: Path) -> None:
    with MeasurementStore(path) as store:
        for latency_ms in (3.0, 2.0, 9.0):
            taken = measurement(latency_ms=latency_ms, operators=(row("t9", latency_ms),))
            store.add_measurement(taken, with_tensor_names(small_net()), source="campaign")
        (sample,) = store.samples(INFO.fingerprint)
        assert len(store.measurements(INFO.fingerprint)) == 3
    assert sample.latency_ms == 3.0
    assert sum(kernel.ms for kernel in sample.kernels) == pytest.approx(3.0)


def test_two_models_of_one_name_are_two_samples(path: Path) -> None:
    with MeasurementStore(path) as store:
        store.add_measurement(measurement("model.onnx", 2.0), small_net(), source="user")
        store.add_measurement(measurement("model.onnx", 4.0), small_net(4), source="user")
        assert [sample.latency_ms for sample in store.samples(INFO.fingerprint)] == [2.0, 4.0]


def test_samples_by_source(path: Path) -> None:
    with MeasurementStore(path) as store:
        store.add_measurement(measurement("net"), small_net(), source="campaign")
        store.add_measurement(measurement("operator"), small_net(4), source="operator")
        assert [sample.label for sample in store.samples(INFO.fingerprint, sources={"operator"})] == ["operator"]
        assert [sample.single_operator for sample in store.samples(INFO.fingerprint)] == [False, True]
        with pytest.raises(UserError, match="got 'estimate'; expected one of campaign"):
            store.add_measurement(measurement(), small_net(), source="estimate")


def test_measurements_by_source_and_label(path: Path) -> None:
    with MeasurementStore(path) as store:
        for label, source in (("a", "campaign"), ("b", "campaign"), ("a", "user"), ("a", "winner")):
            store.add_measurement(measurement(label), small_net(), source=source)

        def found(**filters: Any) -> list[tuple[str, str]]:
            taken = store.measurements(INFO.fingerprint, **filters)
            return [(stored.measurement.label, stored.source) for stored in taken]

        assert len(found()) == 4
        assert found(label="b") == [("b", "campaign")]
        assert found(sources={"user", "winner"}) == [("a", "user"), ("a", "winner")]
        assert found(sources={"campaign"}, label="a") == [("a", "campaign")]
        assert found(sources=()) == []


def test_one_label_takes_no_more_work_in_a_large_store(path: Path) -> None:
    """Counted in steps of SQLite's virtual machine."""
    steps = []
    with MeasurementStore(path) as store:
        store._connection.execute("PRAGMA synchronous = OFF")
        store.add_measurement(measurement("wanted"), small_net(), source="winner")
        for portion in range(2):
            for number in range(150):
                store.add_measurement(measurement(f"{portion}-{number}"), small_net(), source="campaign")
            seen: list[None] = []
            store._connection.set_progress_handler(lambda seen=seen: seen.append(None), 1)
            assert len(store.measurements(INFO.fingerprint, sources={"winner"}, label="wanted")) == 1
            store._connection.set_progress_handler(None, 0)
            steps.append(len(seen))
    assert 0 < steps[1] < 1.2 * steps[0]


def test_references_noise_floors_and_failures(path: Path) -> None:
    with MeasurementStore(path) as store:
        assert store.nominal_reference_ms(INFO) is None
        assert store.noise_floor(INFO) is None
        store.remember_reference(INFO, 1.0)
        store.remember_reference(INFO, 1.25)
        store.remember_noise_floor(INFO, NoiseFloor(1.5, 12.0, 20))
        store.add_failure(FailedMeasurement("bad", "cd" * 32, INFO, "it crashed", "now"), source="campaign")
        assert store.nominal_reference_ms(INFO) == 1.0, "the first one: all measurements of a store are on one scale"
        assert store.nominal_reference_ms(OTHER) is None
        assert store.noise_floor(INFO) == NoiseFloor(1.5, 12.0, 20)
        assert [(failure.label, failure.reason) for failure in store.failures(INFO.fingerprint)] == [
            ("bad", "it crashed")
        ]
        assert store.measured_labels(INFO.fingerprint) == set()


@pytest.mark.parametrize("table", ["devices", "graphs", "measurements", "failures", "reference_times", "noise_floors"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET rowid = rowid"])
def test_nothing_can_be_changed(path: Path, table: str, change: str) -> None:
    with MeasurementStore(path) as store:
        store.add_measurement(measurement(), small_net(), source="user")
        store.add_failure(FailedMeasurement("bad", "", INFO, "it crashed"), source="user")
        store.remember_reference(INFO, 1.0)
        store.remember_noise_floor(INFO, NoiseFloor(1.5, 12.0, 20))
    with closing(sqlite3.connect(path)) as connection, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(change.format(table))


def test_a_failed_write_leaves_nothing_behind(path: Path) -> None:
    with MeasurementStore(path) as store:
        with pytest.raises(sqlite3.IntegrityError):
            store.remember_reference(INFO, float("nan"))
        for latency_ms in (float("nan"), float("inf"), 0.0):
            with pytest.raises(UserError, match=f"got latency in ms of {latency_ms:g}; expected times above 0"):
                store.add_measurement(measurement("a", latency_ms), small_net(), source="user")
        assert store.devices() == []
        store.add_measurement(measurement("b"), small_net(), source="user")
        assert store.measured_labels(INFO.fingerprint) == {"b"}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_writers_lose_nothing_they_acknowledged(path: Path) -> None:
    rng = Random(0)
    acknowledged: set[str] = set()
    for attempt in range(8):
        process = writer(path, f"run{attempt}", 10_000)
        assert process.stdout is not None
        for _ in range(rng.randint(1, 40)):
            acknowledged.add(process.stdout.readline().strip())
        os.kill(process.pid, signal.SIGKILL)
        # The last line may be cut off by the kill.
        acknowledged.update(
            line.strip() for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")
        )
        process.wait()
        process.stdout.close()
        check_integrity(path)
        with MeasurementStore(path) as store:
            stored = store.measured_labels(INFO.fingerprint)
        assert acknowledged <= stored
        assert len(stored - acknowledged) <= attempt + 1, "more than the measurement in flight was added unheard"
    with MeasurementStore(path) as store:
        assert len(store.measurements(INFO.fingerprint)) == len(stored)


def test_two_writers_at_once(path: Path) -> None:
    processes = [writer(path, prefix, 60) for prefix in ("first", "second")]
    for process in processes:
        process.communicate(timeout=120)
        assert process.returncode == 0
    check_integrity(path)
    with MeasurementStore(path) as store:
        expected = {f"{prefix}-{number}" for prefix in ("first", "second") for number in range(60)}
        assert store.measured_labels(INFO.fingerprint) == expected
        assert len(store.measurements(INFO.fingerprint)) == 120


def test_a_store_that_another_process_is_creating(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of it seen before and half after must not look like another program's database.

    A file system without links, where a file does not appear with its tables.
    """
    plain = sqlite3.connect
    path.parent.mkdir()
    other = Thread(target=lambda: MeasurementStore(path).close())

    def refuse(*_: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    def watched(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = plain(*arguments, **options)
        if arguments[0] == path:
            monkeypatch.setattr(sqlite3, "connect", plain)
            connection.set_trace_callback(create_meanwhile)
        return connection

    def create_meanwhile(statement: str) -> None:
        if "sqlite_master" in statement and not other.ident:
            other.start()
            other.join(timeout=1)

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(sqlite3, "connect", watched)
    MeasurementStore(path).close()
    other.join()
    assert other.ident, "nothing happened meanwhile"
    check_integrity(path)


def test_newer_schema(path: Path) -> None:
    MeasurementStore(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {MeasurementStore.schema.version + 6}")
    with pytest.raises(UserError, match=rf"version {MeasurementStore.schema.version + 6}.*upgrade latseg"):
        MeasurementStore(path)


def test_another_programs_database(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(UserError, match="another program"):
        MeasurementStore(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_not_a_database(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"these are not the pages of a database" * 100)
    with pytest.raises(UserError, match="intact SQLite file"):
        MeasurementStore(path)


def test_damaged_pages(path: Path) -> None:
    with MeasurementStore(path) as store:
        for number in range(30):
            store.add_measurement(measurement(f"net{number}"), small_net(), source="user")
    content = bytearray(path.read_bytes())
    page = 4096
    content[page:] = b"\xa5" * (len(content) - page)
    path.write_bytes(bytes(content))
    with pytest.raises(UserError, match="intact SQLite file"), MeasurementStore(path) as store:
        store.measurements(INFO.fingerprint)


def test_truncated_file(path: Path) -> None:
    with MeasurementStore(path) as store:
        for number in range(30):
            store.add_measurement(measurement(f"net{number}"), small_net(), source="user")
    path.write_bytes(path.read_bytes()[: 3 * 4096 + 100])
    with pytest.raises(UserError, match="intact SQLite file"), MeasurementStore(path) as store:
        store.measurements(INFO.fingerprint)


DAMAGE = {
    "not JSON": "measurement = '{\"label\": 3', checksum = NULL",
    "NaN": "measurement = replace(measurement, '\"latency_ms\":2.0', '\"latency_ms\":null'), checksum = NULL",
    "infinite": "measurement = replace(measurement, ':2.0', ':1e999'), checksum = NULL",
    "infinite latency": "latency_ms = 9e999, checksum = NULL",
    "another digit": "measurement = replace(measurement, '2.002', '2.003')",
    "another latency": "latency_ms = 3.0",
    "another label": "label = 'other'",
    "no graph": "graph_key = 'gone', checksum = NULL",
    "no text": "measurement = '', checksum = NULL",
}


@pytest.mark.parametrize("change", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_measurement_is_left_out_with_a_warning(path: Path, change: str) -> None:
    warned: list[str] = []
    with MeasurementStore(path) as store:
        store.add_measurement(measurement("bad"), small_net(), source="user")
        store.add_measurement(measurement("good"), small_net(), source="user")
    alter(path, f"UPDATE measurements SET {change} WHERE id = 1")
    with MeasurementStore(path, on_warning=warned.append) as store:
        (stored,) = store.measurements(INFO.fingerprint)
        assert [sample.label for sample in store.samples(INFO.fingerprint)] == ["good"]
        found = store.latest_of(INFO.fingerprint, small_net())
    assert stored.measurement.label == "good"
    assert found == stored
    assert "1 of 2 measurements are damaged and were left out (row 1 of measurements" in warned[0]
    assert f"`latseg doctor {path.parent} --repair`" in warned[0]


def test_a_measurement_whose_device_was_altered_is_told(path: Path) -> None:
    warned: list[str] = []
    with MeasurementStore(path) as store:
        store.add_measurement(measurement("bad"), small_net(), source="user")
        store.add_measurement(measurement("good"), small_net(), source="user")
    alter(path, "UPDATE measurements SET fingerprint = '-1' WHERE id = 1")
    with MeasurementStore(path, on_warning=warned.append) as store:
        assert [sample.label for sample in store.samples(INFO.fingerprint)] == ["good"]
    assert "1 of 2 measurements are damaged and were left out (row 1 of measurements" in warned[0]


def test_a_damaged_graph_spoils_its_own_measurements_only(path: Path) -> None:
    warned: list[str] = []
    with MeasurementStore(path) as store:
        store.add_measurement(measurement("bad"), small_net(), source="user")
        store.add_measurement(measurement("good"), small_net(4), source="user")
    alter(path, "UPDATE graphs SET graph = replace(graph, 'Conv', 'Cony') WHERE rowid = 1")
    with MeasurementStore(path, on_warning=warned.append) as store:
        assert [stored.measurement.label for stored in store.measurements(INFO.fingerprint)] == ["good"]
    assert "the operator graph is not the one that was written" in warned[0]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE reference_times SET nominal_ms = 9e999",
        "UPDATE reference_times SET nominal_ms = 1.5",
        "UPDATE noise_floors SET raw_percent = 1.5",
        "UPDATE failures SET reason = 'another'",
        "UPDATE devices SET info = replace(info, 'Test CPU', 'Fast CPU')",
    ],
)
def test_other_damaged_rows_are_errors(path: Path, change: str) -> None:
    fill(path)
    alter(path, change)
    with MeasurementStore(path) as store, pytest.raises(UserError, match=r"latseg doctor .* --repair"):
        read_all(store)


def test_a_file_without_its_tables(path: Path) -> None:
    MeasurementStore(path).close()
    alter(path, *(f"DROP TABLE {table}" for table in ("measurements", "failures", "reference_times", "noise_floors")))
    for read_only in (False, True):
        with pytest.raises(UserError, match="got no table measurements; expected an intact SQLite file"):
            MeasurementStore(path, read_only=read_only)


def test_a_table_without_a_column(path: Path) -> None:
    MeasurementStore(path).close()
    alter(path, "ALTER TABLE noise_floors DROP COLUMN repeats")
    with pytest.raises(UserError, match="got a table noise_floors without repeats"):
        MeasurementStore(path)


@pytest.mark.parametrize("kind", ["fifo", "folder", "device"])
def test_no_regular_file(path: Path, kind: str) -> None:
    path.parent.mkdir()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    for read_only in (False, True):
        with pytest.raises(UserError, match=r"is (not a regular file|a folder); expected a file of latseg"):
            MeasurementStore(path, read_only=read_only)


def test_a_store_without_checksums_is_read_and_continued(path: Path) -> None:
    fill(path)
    tables = ("measurements", "failures", "reference_times", "noise_floors")
    alter(path, *(f"ALTER TABLE {table} DROP COLUMN checksum" for table in tables))
    with MeasurementStore(path, read_only=True) as store:
        assert store.nominal_reference_ms(INFO) == 1.0
        assert len(store.measurements(INFO.fingerprint)) == 1
    fill(path)
    with MeasurementStore(path) as store:
        assert len(store.measurements(INFO.fingerprint)) == 2
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT checksum IS NULL FROM measurements ORDER BY id").fetchall()
    assert found == [(1,), (0,)]


def test_a_lost_device_is_made_again_from_its_measurements(path: Path) -> None:
    fill(path)
    alter(path, "DELETE FROM devices")
    found = rebuild(path, MeasurementStore.schema, MeasurementStore.checks, MeasurementStore.derived)
    assert "can be made from measurements" in found.faults[0]
    with MeasurementStore(path) as store:
        assert store.devices() == [INFO]
        assert len(store.measurements(INFO.fingerprint)) == 1
        assert len(store.failures(INFO.fingerprint)) == 1
    check_integrity(path)


def fill(path: Path) -> None:
    with MeasurementStore(path) as store:
        store.add_measurement(measurement(), small_net(), source="user")
        store.add_failure(FailedMeasurement("bad", "", INFO, "it crashed"), source="user")
        store.remember_reference(INFO, 1.0)
        store.remember_noise_floor(INFO, NoiseFloor(1.5, 12.0, 20))


def read_all(store: MeasurementStore) -> None:
    store.nominal_reference_ms(INFO)
    store.noise_floor(INFO)
    store.failures(INFO.fingerprint)
    store.devices()


def alter(path: Path, *statements: str) -> None:
    """Changes a file behind the back of the store."""
    with closing(sqlite3.connect(path)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_full_disk(path: Path) -> None:
    with MeasurementStore(path) as store:
        store.add_measurement(measurement("kept"), small_net(), source="user")
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(UserError, match=r"full.*free some space"):
            store.add_measurement(measurement("large", blocks=5000), small_net(), source="user")
    check_integrity(path)
    with MeasurementStore(path) as store:
        assert store.measured_labels(INFO.fingerprint) == {"kept"}


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder in which nobody can write")
def test_folder_that_cannot_be_made() -> None:
    with pytest.raises(UserError, match="permissions"):
        MeasurementStore(Path("/proc/self/latseg/measurements.sqlite"))


def test_path_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    with pytest.raises(UserError, match="can be written"):
        MeasurementStore(tmp_path / "file" / "measurements.sqlite")


def test_path_that_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="can be written"):
        MeasurementStore(tmp_path)


def test_write_to_a_read_only_file(path: Path) -> None:
    with MeasurementStore(path) as store:
        store._connection.execute("PRAGMA query_only = ON")
        with pytest.raises(UserError, match="permissions"):
            store.remember_reference(INFO, 1.0)


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_folder_that_cannot_be_written(path: Path) -> None:
    MeasurementStore(path).close()
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        with pytest.raises(UserError, match="permissions"), MeasurementStore(path) as store:
            store.add_measurement(measurement(), small_net(), source="user")
    finally:
        path.parent.chmod(0o755)


def test_reading_a_store_loads_no_model_library() -> None:
    code = "import sys, latency.store; sys.exit(' '.join({'onnx', 'torch', 'onnxruntime'} & set(sys.modules)) or 0)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
