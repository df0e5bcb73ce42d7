"""``latseg doctor WORKSPACE``: names what is damaged, saves what can be read, and says how to go on."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import latseg
from foundation.errors import UserError
from latency.store import MeasurementStore
from latseg.run_handle import RunHandle
from search.evaluators.short_trainings import ShortTrainings, write_short_trainings
from search.run_folder import RunFolder
from tests.latseg.conftest import DEVICE
from tests.latseg.test_cli import say

pytestmark = pytest.mark.filterwarnings("ignore:measurement store .* left out")


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "workspace")


def alter(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def run_folder(workspace: Path) -> RunFolder:
    (folder,) = (workspace / "runs").iterdir()
    return RunFolder(folder)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def damaged(workspace: Path) -> dict[str, Any]:
    return {file.path: file for file in latseg.Workspace(workspace).doctor().damaged}


def test_an_intact_workspace(finished: Path) -> None:
    health = latseg.Workspace(finished).doctor()
    assert health.ok
    assert not health.damaged
    kinds = {file.kind for file in health.files}
    assert kinds == {
        "measurement store", "predictor", "run", "trial store", "calibration record", "checkpoint",
        "quality after training", "bundle",
    }  # fmt: skip
    assert "measurements" in next(file.saved for file in health.files if file.kind == "measurement store")


def test_what_a_killed_export_left_is_no_damage(copy: Path) -> None:
    (run_folder(copy).path / "bundles" / ".abc.12-34-abcdefgh" / "new").mkdir(parents=True)
    assert latseg.Workspace(copy).doctor().ok


DAMAGE = {
    "predictor": "predictors/*/bounded.json",
    "weights of the predictor": "predictors/*/*/*.safetensors",
    "run file": "runs/*/run.json",
    "checkpoint of a winner": "runs/*/winners/*.safetensors",
    "supernet": "runs/*/supernet.safetensors",
    "quality after training": "runs/*/winners/*_trained.json",
    "calibration record": "runs/*/near_budget.json",
    "bundle": "runs/*/bundles/*/model.onnx",
}


@pytest.mark.parametrize("pattern", DAMAGE.values(), ids=DAMAGE)
def test_a_flipped_bit_is_named_with_a_way_to_go_on(copy: Path, pattern: str) -> None:
    path = min(copy.glob(pattern))
    flip(path)
    ((name, file),) = damaged(copy).items()
    assert str(path.relative_to(copy)).startswith(name)
    assert file.fault
    assert "`latseg " in file.remedy or "restore it" in file.remedy
    assert not latseg.Workspace(copy).doctor(repair=True).ok


def test_damaged_short_trainings_are_named(copy: Path) -> None:
    folder = run_folder(copy).path
    write_short_trainings(folder, ShortTrainings(nets=("{}",), qualities=(0.5,)))
    assert latseg.Workspace(copy).doctor().ok
    path = folder / "short_trainings.json"
    path.write_text(path.read_text().replace("0.5", "0.6"))
    (file,) = damaged(copy).values()
    assert file.kind == "short trainings"
    assert "trained anew" in file.remedy


@pytest.mark.parametrize("name", ["measurements.sqlite", "runs/*/trials.sqlite", "runs/*/run.json"])
@pytest.mark.parametrize("kind", ["fifo", "folder", "empty", "missing"])
def test_special_files_are_named_at_once(copy: Path, name: str, kind: str) -> None:
    (path,) = copy.glob(name)
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.write_bytes(b"")
    found = damaged(copy)
    assert (str(path.relative_to(copy)) in found) == (kind != "missing" or path.name == "run.json")


@pytest.mark.slow
def test_a_repaired_store_is_fitted_again(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = copy / "measurements.sqlite"
    alter(path, "UPDATE measurements SET measurement = replace(measurement, '1', '2') WHERE id = 1")
    code, out, _ = say(capsys, "doctor", str(copy), "--json")
    document = json.loads(out)
    assert code == 2
    assert not document["ok"]
    (found,) = [file for file in document["files"] if file["fault"]]
    assert found["path"] == "measurements.sqlite"
    assert "row 1 of measurements" in found["fault"]
    assert "--repair" in found["remedy"]

    warned: list[str] = []
    device = latseg.Workspace(copy, on_warning=warned.append).device(DEVICE)
    device.fit()
    assert "1 of " in warned[0]
    assert "left out" in warned[0]

    code, out, err = say(capsys, "doctor", str(copy), "--repair")
    assert code == 0, out + err
    assert "measurements.sqlite.damaged-1" in out
    warned.clear()
    device.fit()
    assert warned == []
    assert say(capsys, "doctor", str(copy))[0] == 0


def test_a_repaired_trial_store_is_continued(copy: Path, run: RunHandle) -> None:
    path = run_folder(copy).trials
    alter(path, "UPDATE trials SET quality = 0.99 WHERE position = 2")
    handle = latseg.Workspace(copy).run(run.id)
    with pytest.raises(UserError, match=f"row 2 of trials damaged.*latseg doctor {copy} --repair"):
        handle.search()
    assert latseg.Workspace(copy).doctor(repair=True).ok
    assert len(handle.trials) == len(run.trials) - 1
    handle.search()
    assert len(handle.trials) == len(run.trials)


def test_a_file_of_a_predictor_that_grew_without_end_is_not_read(copy: Path) -> None:
    path = min(copy.glob("predictors/*/*/*.safetensors"))
    os.truncate(path, 2**40)
    ((_, file),) = damaged(copy).items()
    assert "bytes, more than" in file.fault


def test_a_damaged_store_is_no_fault_of_a_bundle(copy: Path) -> None:
    device = latseg.Workspace(copy).device(DEVICE).device
    bundle = latseg.Bundle("any", workspace=copy)
    assert bundle._known_reference(device) is not None
    (copy / "measurements.sqlite").write_bytes(b"no store" * 1000)
    assert bundle._known_reference(device) is None


def test_a_lost_reference_time_is_that_of_the_measurements(copy: Path) -> None:
    with MeasurementStore(copy / "measurements.sqlite") as store:
        (info,) = store.devices()
        before = store.nominal_reference_ms(info)
    alter(copy / "measurements.sqlite", "UPDATE reference_times SET nominal_ms = 7")
    assert latseg.Workspace(copy).doctor(repair=True).ok
    with MeasurementStore(copy / "measurements.sqlite") as store:
        assert store.nominal_reference_ms(info) == before


def test_the_machine_is_checked_without_a_workspace(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = say(capsys, "doctor", "--json")
    assert set(json.loads(out)) == {"devices", "warnings"}
    code, _, err = say(capsys, "doctor", "--repair")
    assert (code, "latseg doctor WORKSPACE --repair" in err) == (2, True)
    code, _, err = say(capsys, "doctor", str(copy / "missing"))
    assert (code, "no folder" in err) == (2, True)
