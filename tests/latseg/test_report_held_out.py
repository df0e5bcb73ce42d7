"""The report shows how the winner does on the test part, once ``evaluate`` has scored it."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import pytest

import latseg
from foundation.errors import UserError
from latseg.report.confusion import confusion_table
from latseg.run_handle import RunHandle
from search.run_folder import RunFolder

pytestmark = pytest.mark.slow


@pytest.fixture
def workspace_copy(finished: Path, tmp_path: Path) -> latseg.Workspace:
    return latseg.Workspace(shutil.copytree(finished, tmp_path / "workspace"))


@pytest.fixture
def trained(workspace_copy: latseg.Workspace, run: RunHandle) -> RunHandle:
    return workspace_copy.run(run.id)


def embedded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def test_a_scored_winner_is_shown_and_a_retrained_one_is_not(
    trained: RunHandle, workspace_copy: latseg.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = trained.report().read_text()
    assert f"`latseg evaluate {trained.id}` scores it." in page
    assert "Example masks" in page

    (scores,) = trained.evaluate().models
    folder, winner = RunFolder(trained.path), trained.winners[0].id
    page = trained.report().read_text()
    assert f"mean IoU {100 * scores.scores.quality.mean_iou:.1f} %" in page
    assert embedded(folder.held_out_sheet(winner)) in page
    for title in ("Confusion of classes on the test part", "Calibration of the opacity on the test part"):
        assert title in page
    assert "Example masks" not in page

    monkeypatch.setitem(trained.__dict__, "config", trained.config.model_copy(update={"data": "folder:photos"}))
    page = trained.report().read_text()
    assert embedded(folder.held_out_sheet(winner)) not in page
    assert embedded(folder.held_out_sheet(winner, photographs=False)) in page
    assert embedded(folder.held_out_sheet(winner)) in trained.report(photographs=True).read_text()

    assert "scores on the test part" in {file.kind for file in workspace_copy.doctor().files}
    folder.training(winner).write_bytes(folder.training(winner).read_bytes() + b" ")
    assert "scores it anew" in trained.report().read_text()
    folder.held_out(winner).write_text("{}")
    (damaged,) = workspace_copy.doctor().damaged[:1]
    assert damaged.kind == "scores on the test part" or "checkpoint" in damaged.kind
    with pytest.raises(UserError, match="run `latseg evaluate` again"):
        trained.report()


def test_only_scores_of_the_runs_own_test_part_are_kept(trained: RunHandle) -> None:
    record = RunFolder(trained.path).held_out(trained.winners[0].id)
    trained.evaluate(part="validation")
    trained.evaluate(size=(48, 48))
    trained.evaluate(latseg.DataOptions(source="synthetic:16", size=(64, 64)))
    assert not record.exists()
    trained.evaluate()
    assert record.exists()


def test_a_folder_that_cannot_be_written_is_a_warning(trained: RunHandle, tmp_path: Path) -> None:
    winners = trained.path / "winners"
    (winners / f"{trained.winners[0].id}_test.png").mkdir()
    warnings: list[str] = []
    run = latseg.Workspace(trained.workspace.path, on_warning=warnings.append).run(trained.id)
    assert [one.sheet for one in run.evaluate().models] == [None]
    assert [line.partition(":")[0] for line in warnings] == ["the report will not show these scores"]


def test_confusion_with_nineteen_classes() -> None:
    classes = [f"<class {number}>" for number in range(19)]
    counts = [[0] * 19 for _ in range(19)]
    for number in range(18):
        counts[number][number], counts[number][(number + 1) % 19] = 999, 1
    counts[3] = [0] * 3 + [1, 3] + [0] * 14
    table = confusion_table(classes, counts, [0.5] * 18 + [None])
    assert table.count("<tr>") == 20
    assert table.count(">·<") == 17
    assert table.count(">100<") == 17
    assert ">25<" in table
    assert ">75<" in table
    assert "true &lt;class 3&gt;, predicted &lt;class 4&gt;: 3 of 4 pixels" in table
    assert "<class" not in table


def test_confusion_of_two_classes_has_decimals() -> None:
    table = confusion_table(("background", "person"), [[995, 5], [0, 0]], [0.9, None])
    assert ">99.5<" in table
    assert ">0.5<" in table
    assert table.count(">50.0<") == 0
