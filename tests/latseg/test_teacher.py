"""A teacher of the user's own, and photographs without masks, from the command line and from Python."""

from __future__ import annotations

import base64
import html
import json
import shutil
from pathlib import Path

import pytest

import latseg
from foundation.errors import UserError
from foundation.progress import OnProgress
from latseg.cli import run as run_command
from latseg.run_handle import RunHandle
from search.run_folder import RunFolder
from search.shared_run import shared_run
from search.teachers.brought import BroughtTeacher
from search.teachers.record import TeacherRecord, read_record
from segmentation.training.checkpoint import load_checkpoint
from tests.latseg.conftest import DEVICE
from tests.latseg.test_cli import _one_line
from tests.search.teachers.people import IMAGENET, folder, photographs, teacher

pytestmark = pytest.mark.slow

LIMITS = ("-d", DEVICE, "--max-latency", "2ms", "--size", "128x128", "--near-budget", "0")
EFFORT = (
    *("--data-size", "32x32", "--trials", "2", "--supernet-steps", "1", "--batch-size", "2"),
    *("--evaluator", "supernet"),
    *("--evaluation-images", "1", "--winner-epochs", "1", "--scene-steps", "0", "--training-threads", "1"),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a teacher, pairs and photographs without masks."""
    place = tmp_path_factory.mktemp("brought")
    folder(place / "people")
    photographs(place / "more")
    teacher(place / "net.onnx", normalisation=IMAGENET, classes=21, person=15)
    return place


@pytest.fixture(scope="module")
def outcome(workspace: Path, place: Path) -> tuple[RunHandle, str]:
    """A run with a teacher, and what it printed on stderr."""
    with pytest.MonkeyPatch.context() as patch, (place / "err").open("w") as stderr, (place / "out").open("w") as out:
        patch.chdir(place)
        patch.setattr("sys.stderr", stderr)
        patch.setattr("sys.stdout", out)
        words = ("--data", "folder:people", "--teacher", "net.onnx", "--unlabelled", "more")
        code = run_command(["--workspace", str(workspace), "--json", "search", *LIMITS, *EFFORT, *words])
    told = (place / "err").read_text()
    assert code == 0, told
    return latseg.Workspace(workspace).run(json.loads((place / "out").read_text())["run"]), told


Outcome = tuple[RunHandle, str]


def test_the_search_says_how_it_asks_the_teacher_and_how_well_it_agrees(outcome: Outcome, place: Path) -> None:
    run, told = outcome
    assert "teacher: net.onnx:size=32x32,layout=nchw,channels=rgb,mean=0.485/0.456/0.406" in told
    assert "person=15; found out on labelled pictures: size" in told
    assert "teacher: net.onnx agrees with the masks of 2 validation pictures: mean IoU " in told
    assert f"5 photographs without masks in {place}/more" in told
    (kept,) = (run.path / "teachers").iterdir()
    assert {path.name.rpartition("-")[0] for path in kept.glob("*.safetensors")} >= {"training", "validation"}
    assert (run.path / f"teacher_worst-{kept.name[:8]}.png").exists()
    assert not (run.path / "teacher.safetensors").exists()


def test_training_uses_it_and_another_teacher_is_another_training(
    outcome: Outcome, place: Path, tmp_path: Path
) -> None:
    run, _ = outcome
    notes: list[str] = []
    trained = run.train(run.winners[0], on_note=notes.append)
    assert notes[0].startswith("net.onnx:size=32x32")
    _, document = load_checkpoint(trained.checkpoint)
    assert len(document["taught_by"].split()) == 2
    again = run.train(run.winners[0])
    assert again.quality == trained.quality
    other = teacher(tmp_path / "other.onnx")
    with pytest.raises(UserError, match="another teacher or other photographs without masks"):
        run.train(run.winners[0], teacher=str(other))
    trained.checkpoint.unlink()
    code = run_command(
        [
            "--workspace",
            str(run.workspace.path),
            "--quiet",
            "--json",
            "train",
            run.id,
            "--winner",
            run.winners[0].id,
            "--teacher",
            f"{other}:person=1",
        ]
    )
    assert code == 0
    assert load_checkpoint(trained.checkpoint)[1]["taught_by"] != document["taught_by"]


def test_another_training_device_of_a_run_is_checked(outcome: Outcome, capsys: pytest.CaptureFixture[str]) -> None:
    run, _ = outcome
    words = ("--workspace", str(run.workspace.path), "train", run.id, "--winner", run.winners[0].id)
    assert "training device cuda:99: got " in _one_line(capsys, 2, *words, "--training-device", "cuda:99")


def test_a_bundle_has_names_and_no_places(outcome: Outcome, place: Path) -> None:
    run, _ = outcome
    shared = shared_run(run.config)
    assert str(place) not in shared.model_copy(update={"command": ""}).model_dump_json()
    assert (shared.training.teacher, shared.training.unlabelled) == ("net.onnx", "more")
    assert str(place) in run.config.model_dump_json()


def test_the_report_tells_of_it_and_shows_photographs_where_asked_for(outcome: Outcome) -> None:
    run, _ = outcome
    kept = next(path for path in (run.path / "teachers").iterdir() if (run.path / worst(path, "")).exists())
    record = read_record(kept)
    assert record is not None
    for shown in (False, True):
        page = run.report(photographs=shown).read_text()
        assert all(html.escape(note) in page for note in record.notes)
        assert f">{round(100 * record.mean_iou, 1):.4g}<" in page
        sheets = [base64.b64encode((run.path / worst(kept, end)).read_bytes()).decode() for end in ("_masks", "")]
        assert [sheet in page for sheet in sheets] == [not shown, shown]


def worst(kept: Path, end: str) -> str:
    return f"teacher_worst{end}-{kept.name[:8]}.png"


def test_doctor_finds_damage(outcome: Outcome, tmp_path: Path) -> None:
    run, _ = outcome
    copied = tmp_path / "workspace"
    shutil.copytree(run.workspace.path, copied)
    kept = next((copied / "runs" / run.id / "teachers").iterdir())
    for name in ("teacher.json", "training-0000.safetensors"):
        content = bytearray((kept / name).read_bytes())
        content[-20] ^= 4
        (kept / name).write_bytes(content)
    damaged = {file.path: file for file in latseg.Workspace(copied).doctor().files if file.fault}
    assert {Path(path).name for path in damaged} == {"teacher.json", "training-0000.safetensors"}
    assert any("asks the teacher again" in file.remedy for file in damaged.values())


def test_a_teacher_that_does_not_fit_is_one_line_before_anything_is_trained(
    workspace: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ("--data", f"folder:{place}/people")
    wrong = f"{place}/net.onnx:person=3"
    code = run_command(["--workspace", str(workspace), "search", *LIMITS, *EFFORT, *data, "--teacher", wrong])
    assert code == 2
    assert "expected at least 0.6; look at" in capsys.readouterr().err.splitlines()[-1]
    newest = latseg.Workspace(workspace).runs[-1]
    assert not RunFolder(workspace / "runs" / newest).trials.exists()


def test_a_student_that_is_better_is_told(outcome: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = outcome
    compared = BroughtTeacher.compared

    def poor(self: BroughtTeacher, on_progress: OnProgress) -> TeacherRecord:
        return compared(self, on_progress).model_copy(update={"mean_iou": 0.01})

    RunFolder(run.path).training(run.winners[0].id).unlink(missing_ok=True)
    monkeypatch.setattr(BroughtTeacher, "compared", poor)
    notes: list[str] = []
    run.train(run.winners[0], on_note=notes.append)
    assert notes[-1].startswith("the teacher is worse than this net (mean IoU 0.010 against 0.")
