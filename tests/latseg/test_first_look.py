"""How data are read is printed, kept in the run's record and shown in its folder and its report."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from PIL import Image

import latseg
from latseg.cli import run as run_command
from latseg.run_handle import RunHandle
from tests.latseg.conftest import DEVICE
from tests.segmentation.data.drawn_pairs import drawn, folder_of, grey

pytestmark = pytest.mark.slow

LIMITS = ("-d", DEVICE, "--max-latency", "2ms", "--size", "128x128", "--near-budget", "0")
EFFORT = (
    *("--data-size", "64x64", "--trials", "2", "--teacher-epochs", "0", "--supernet-steps", "1"),
    *("--evaluator", "supernet"),
    *("--batch-size", "2", "--evaluation-images", "1", "--winner-epochs", "1", "--scene-steps", "0"),
)


@pytest.fixture(scope="module")
def outcome(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunHandle, str, dict[str, object]]:
    """A run on a folder that was named by a relative path, what it printed on stderr, and its document."""
    folder = tmp_path_factory.mktemp("data")
    folder_of(folder / "photos", grey(background=0, person=1, contour=255))
    Image.fromarray(drawn(9)[1]).save(folder / "photos" / "masks" / "alone.png")
    with pytest.MonkeyPatch.context() as patch, pytest.MonkeyPatch.context() as streams:
        patch.chdir(folder)
        out, err = folder / "out", folder / "err"
        with out.open("w") as stdout, err.open("w") as stderr:
            streams.setattr("sys.stdout", stdout)
            streams.setattr("sys.stderr", stderr)
            words = ["--workspace", str(workspace), "--json", "search", *LIMITS, *EFFORT, "--data", "folder:photos"]
            code = run_command(words)
        streams.undo()
        assert code == 0, err.read_text()
        document = json.loads(out.read_text())
    return latseg.Workspace(workspace).run(document["run"]), err.read_text(), document


Outcome = tuple[RunHandle, str, dict[str, object]]


def test_what_was_decided_is_printed_and_recorded(outcome: Outcome) -> None:
    run, err, document = outcome
    decided = "masks by value: 0 background, 1 person, 255 unlabelled and ignored"
    assert run.config.data_notes[0] == decided
    assert any("alone.png" in note for note in run.config.data_notes)
    assert document["data_notes"] == list(run.config.data_notes)
    for note in run.config.data_notes:
        assert f"data: {note}" in err


def test_the_sheet_lies_in_the_runs_folder(outcome: Outcome) -> None:
    run, err, _ = outcome
    assert f"first look at the data: {run.path / 'first_look.png'}" in err
    with Image.open(run.path / "first_look.png") as whole, Image.open(run.path / "first_look_labels.png") as labels:
        assert whole.width > labels.width


def test_the_report_has_the_sheet_and_photographs_where_asked_for(outcome: Outcome) -> None:
    run, _, _ = outcome
    for photographs in (False, True):
        page = run.report(photographs=photographs).read_text()
        sheets = [
            base64.b64encode((run.path / f"first_look{end}.png").read_bytes()).decode() for end in ("_labels", "")
        ]
        assert [sheet in page for sheet in sheets] == [not photographs, photographs]
        assert "255 unlabelled and ignored" in page
        data = run.config.data.removeprefix("folder:")
        assert data not in page
        assert "Data: folder:photos." in page
        assert "left out of photos" in page


def test_a_run_trains_from_any_folder(outcome: Outcome, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run, _, _ = outcome
    assert Path(run.config.data.removeprefix("folder:")).is_absolute()
    monkeypatch.chdir(tmp_path)
    assert run.train(run.winners[0]).quality.examples == 1


def test_a_bundle_does_not_tell_where_the_data_are(outcome: Outcome) -> None:
    run, _, _ = outcome
    run.train(run.winners[0])
    bundle = run.export(run.winners[0], formats=["onnx"])
    place = run.config.data.removeprefix("folder:").encode()
    for path in bundle.path.iterdir():
        assert place not in path.read_bytes()
        assert str(run.workspace.path.parent).encode() not in path.read_bytes()
    assert bundle.manifest.quality[0].data == "folder:photos, 1 validation examples"
    assert "--data folder:photos " in bundle.manifest.reproduce


def test_synthetic_data_have_a_first_look(run: RunHandle) -> None:
    page = run.report().read_text()
    assert base64.b64encode((run.path / "first_look.png").read_bytes()).decode() in page
