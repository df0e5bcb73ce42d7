"""``latseg analyse``: runs and logs of other programs, each option, where files are written, what is printed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import latseg
from foundation.errors import UserError
from latseg.report.course_section import course_section
from search.run_folder import RunFolder
from search.trials import TrialStore
from tests.latseg.command_line import document, say
from tests.search.analysis.logs import even_log, parameters, write_run
from tests.search.test_trials import make_trials

LOG = "candidate,reward,params_millions,again\n1,0.4,0.3,0.9\n2,0.5,0.6,0.1\n"


@pytest.fixture
def without_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.analysis.analysis.render", lambda *_: b"drawn")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "old.csv"
    path.write_text(LOG)
    return path


@pytest.fixture
def workspace(tmp_path: Path) -> latseg.Workspace:
    """With a run of five trials."""
    folder = write_run(tmp_path / "workspace" / "runs" / "some-run")
    with TrialStore(RunFolder(folder).trials) as store:
        for trial in make_trials(5):
            store.add(trial)
    return latseg.Workspace(tmp_path / "workspace")


def test_a_log_is_analysed_beside_it(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "analyse", str(log))
    assert found["trials"] == {"old": 2}
    assert [(each["name"], each["fault"]) for each in found["findings"]] == [("unusable", True), ("best", False)]
    assert found["reference"] == {"parameters": 4e5}
    assert found["hypervolume"]["old"] == pytest.approx(0.4 * 0.25)
    assert {Path(path).parent for path in (*found["pictures"], *found["tables"])} == {log.parent / "old-analysis"}
    assert all(Path(path).is_file() for path in (*found["pictures"], *found["tables"]))
    assert [Path(path).name for path in found["pictures"][:2]] == ["best_so_far.png", "best_so_far.svg"]


@pytest.mark.usefixtures("without_drawing")
def test_each_option_acts(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("analyse", str(log), "--out", str(tmp_path / "out"), "--column", "quality=again", "--max-params", "0.7M")
    found = document(capsys, *words)
    assert [each["name"] for each in found["findings"]] == ["best"]
    assert found["findings"][0]["figures"]["quality"] == 0.9
    assert found["reference"] == {"parameters": 7e5}
    assert {Path(path).parent for path in found["pictures"]} == {tmp_path / "out"}


@pytest.mark.usefixtures("without_drawing")
def test_the_seed_reaches_the_analysis(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [latseg.analyse(log, seed=seed).result.parts[0].seed for seed in (0, 7)]
    assert parts == [0, 7]
    seeds: list[int] = []

    def note(*_: object, seed: int, **__: object) -> None:
        seeds.append(seed)
        raise UserError("work", seen="some", expected="none", remedy="stop")

    monkeypatch.setattr("latseg.api.Workspace.analyse", note)
    latseg.cli.run(["analyse", str(log), "--seed", "9"])
    assert seeds == [9]


@pytest.mark.usefixtures("without_drawing")
def test_runs_by_id_and_by_folder_beside_logs(
    workspace: latseg.Workspace, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--workspace", str(workspace.path), "analyse", "some-run", str(log))
    found = document(capsys, *words)
    assert found["trials"] == {"some-run": 5, "old": 2}
    assert found["reference"] == {"parameters": 4e5}
    folder = workspace.path / "runs" / "some-run" / "analysis"
    assert str(folder / "fronts.png") in found["pictures"]
    assert str(folder / "old" / "windows.svg") in found["pictures"]
    code, out, _ = say(capsys, *words)
    assert code == 0
    assert "! old: Only 1 of 2 trials (50 %) have at most 0.4 M parameters." in out
    assert "Reference point of the hypervolume: quality 0, parameters 400000" in out
    assert str(folder) in out
    by_folder = latseg.analyse(workspace.path / "runs" / "some-run")
    assert by_folder.folder == folder


@pytest.mark.usefixtures("without_drawing")
def test_a_run_in_python(workspace: latseg.Workspace, tmp_path: Path) -> None:
    found = workspace.run("some-run").analyse(out=tmp_path / "here", seed=3)
    assert found.folder == tmp_path / "here"
    assert found.result.parts[0].seed == 3
    assert found.findings[-1].name == "best"
    assert found.hypervolume.keys() == {"some-run"}
    assert found.tables[0] == tmp_path / "here" / "findings.csv"


def test_wrong_words(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, told in (
        (("analyse", "nowhere"), "or the id of a run"),
        (("analyse", str(log), "--column", "reward"), "expected ROLE=NAME"),
        (("analyse", str(log), "--column", "quality=again", "--column", "quality=reward"), "each role once"),
        (("analyse", str(log), "--max-params", "few"), "--max-params"),
    ):
        code, _, err = say(capsys, *words)
        assert code == 2
        assert told in err


def test_the_section_of_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    section = course_section(even_log(60, name="<run>", costs=parameters(*[9e5] * 60, limit=4e5)))
    assert "<b>Make the limit a hard one" in section.body
    assert section.body.count("data:image/png;base64,") == 6
    assert "<run>" not in section.body
    assert len(section.body) < 300_000


def test_matplotlib_waits_for_the_first_picture() -> None:
    code = "import search.analysis.analysis, latseg.api, latseg.commands, sys; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
