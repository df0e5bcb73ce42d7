"""The report of a run shows its trials, its limits, its predictor, its masks and its commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.errors import UserError
from latseg.run_handle import RunHandle
from tests.latseg.conftest import DEVICE

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page(run: RunHandle) -> str:
    run.train(run.winners[0])
    return run.report().read_text()


def test_every_trial_is_shown_with_the_budget(page: str, run: RunHandle) -> None:
    for trial in run.trials:
        assert trial.id in page
    target = run.config.targets[0]
    assert f"at most {target.maximum_ms:g} ms on {DEVICE}" in page
    assert "0.400 M parameters" in page


def test_rejections_are_counted(page: str, run: RunHandle) -> None:
    assert run.result is not None
    for constraint, count in run.result.rejected.items():
        assert f"<td>{constraint}</td>" in page
        assert f">{count:,}</td>" in page


def test_what_the_search_did(page: str, run: RunHandle) -> None:
    assert page.count("<h2>What the search did</h2>") == 1
    assert f"{len(run.trials)} trials; the best has quality {max(t.quality for t in run.trials):.4g}" in page
    assert 'alt="The best quality so far"' in page


def test_the_winner_and_its_operators(page: str, run: RunHandle) -> None:
    winner = run.winners[0]
    assert f"{winner.measured_ms[DEVICE]:.3f} ms" in page
    assert f"{winner.predicted_ms[DEVICE]:.3f} ms" in page
    assert page.count("Where the milliseconds go on") == 1
    assert "measured_us" in page


def test_masks_are_shown_for_synthetic_data_after_the_training(page: str) -> None:
    assert "Example masks" in page
    assert "data:image/png;base64," in page
    assert "% of the pixels agree" in page


def test_commands_and_circumstances(page: str, run: RunHandle) -> None:
    config = run.config
    workspace = run.workspace.path.name
    assert str(run.workspace.path.parent) not in page
    assert f"latseg --workspace {workspace} search " in page
    for command in ("train", "export"):
        assert f"latseg --workspace {workspace} {command} {run.id} --winner {run.winners[0].id}" in page
    assert f"Data: {config.data}." in page
    assert config.targets[0].runtime_version in page
    assert "SIMULATED" in page


def test_a_report_of_a_folder_that_cannot_be_written(
    run: RunHandle, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    before = {path: path.stat().st_mtime_ns for path in run.workspace.path.rglob("*")}
    assert run.report(output=tmp_path / "page.html").read_text()[:100] == page[:100]
    assert {path: path.stat().st_mtime_ns for path in run.workspace.path.rglob("*")} == before
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="--output FILE"):
        run.report(output=tmp_path / "file" / "page.html")


def test_photographs_only_where_asked_for(run: RunHandle, monkeypatch: pytest.MonkeyPatch, page: str) -> None:
    assert page
    config = run.config.model_copy(update={"data": "folder:photos"})
    monkeypatch.setitem(run.__dict__, "config", config)
    monkeypatch.setattr("latseg.report.write.example_strip", lambda *_: [(b"", "a photograph")])
    assert "a photograph" not in Path(run.report()).read_text()
    assert "a photograph" in Path(run.report(photographs=True)).read_text()
