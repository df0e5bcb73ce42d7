"""``search --budgets``: a run for each budget, one table, resumed as a whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import optuna
import pytest

import latseg
from foundation.errors import UserError
from search import launch
from search.evaluators.pretrained import PretrainedEvaluator
from search.settings import SearchSettings
from tests.latseg.command_line import run as run_command
from tests.latseg.command_line import say
from tests.latseg.conftest import DEVICE
from tests.short_feasibility import sample_less

OPTIONS: dict[str, Any] = {
    "data": latseg.DataOptions(source="synthetic:8", size=(64, 64)),
    "sizes": ["128x128"],
    "strategy": "evolution:population=4",
    "trials": 8,
    "calibration_nets": 0,
}
WORDS = (
    *("search", "--device", DEVICE, "--data", "synthetic:8", "--data-size", "64x64", "--size", "128x128"),
    *("--strategy", "evolution:population=4", "--trials", "8", "--calibration-nets", "0"),
)
BUDGETS = ("--budgets", "2ms,1us,1.5ms")


@pytest.fixture(autouse=True)
def short_feasibility(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests are about what is done with the samples."""
    monkeypatch.setattr(launch, "SearchSettings", SearchSettings)  # restored afterwards
    sample_less()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the nets that were evaluated."""
    found: list[str] = []
    quality = PretrainedEvaluator.quality

    def noting(self: PretrainedEvaluator, architectures: Any) -> list[float]:
        found.extend(one.id for one in architectures)
        return quality(self, architectures)

    monkeypatch.setattr(PretrainedEvaluator, "quality", noting)
    return found


def by_budget(document: dict[str, Any]) -> dict[float, list[str]]:
    return {row["budget_ms"]: [winner["id"] for winner in row["winners"]] for row in document["table"]}


@pytest.mark.slow
def test_a_curve_from_the_command_line(workspace: Path, asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    shared = ("--workspace", str(workspace), *WORDS, *BUDGETS)
    code, out, err = say(capsys, *shared, "--json", "--quiet")
    assert code == 0, err
    found = json.loads(out)
    assert len(asked) == len(set(asked))
    assert [run["budget_ms"] for run in found["runs"]] == [2.0, 1.5, 0.001]
    assert [run["infeasible"] is None for run in found["runs"]] == [True, True, False]
    assert "smallest reachable" in found["runs"][2]["infeasible"]
    assert [run.get("trials") for run in found["runs"]] == [8, 8, None]
    assert [row["budget_ms"] for row in found["table"]] == [0.001, 1.5, 2.0]
    assert [len(row["winners"]) for row in found["table"]] == [0, 1, 1]
    small, large = (row["winners"][0] for row in found["table"][1:])
    assert small["quality"] <= large["quality"]
    assert small["measured_ms"][DEVICE] <= small["upper_ms"][DEVICE] <= 1.5

    before = len(asked)
    resumed = ("--workspace", str(workspace), "search", "--resume", found["runs"][1]["run"])
    code, out, err = say(capsys, *resumed, "--quiet")
    assert code == 0, err
    assert len(asked) == before, "a finished curve is only read again"
    assert "no network keeps it" in out
    assert out.splitlines()[-1].endswith(f"train {large['run']} --winner {large['id']}")

    handle = latseg.Workspace(workspace).run(found["runs"][0]["run"])
    page = handle.report().read_text()
    assert "The curve over the budgets" in page
    assert all(text in page for text in (small["id"], large["id"], "--budgets 2ms,1.5ms,0.001ms"))


@pytest.mark.slow
def test_one_supernet_serves_all_budgets(workspace: Path) -> None:
    """Its weights depend on the nets that keep the budget under which it was trained."""
    training = latseg.TrainingOptions(teacher_epochs=0, supernet_steps=2, batch_size=2, evaluation_images=2, threads=1)
    options = OPTIONS | {"evaluator": "supernet", "trials": 4, "training": training}
    curve = latseg.Workspace(workspace).curve(DEVICE, ["2ms", "1.5ms"], **options)
    weights = {(workspace / "runs" / run.id / "supernet.safetensors").read_bytes() for run in curve.runs}
    assert (len(curve.runs), len(weights)) == (2, 1)


@pytest.mark.slow
def test_interrupted_in_a_later_run_it_goes_on_from_any_of_them(
    workspace: Path,
    asked: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    storage = f"sqlite:///{tmp_path / 'optuna.db'}"
    whole = latseg.Workspace(workspace).curve(DEVICE, ["2ms", 1.5], **OPTIONS, optuna_storage=storage)
    studies = {run.id: optuna.load_study(study_name=run.id, storage=storage).trials for run in whole.runs}
    shown = {run: [trial.user_attrs["id"] for trial in trials] for run, trials in studies.items()}
    assert shown == {run.id: [trial.id for trial in run.trials] for run in whole.runs}, "those of a larger budget, too"
    assert [row.point.maximum_ms for row in whole.rows] == [1.5, 2.0]
    expected = len(asked)
    quality = PretrainedEvaluator.quality

    def interrupted(self: PretrainedEvaluator, architectures: Any) -> list[float]:
        if len(asked) >= expected + 9:
            raise KeyboardInterrupt
        return quality(self, architectures)

    monkeypatch.setattr(PretrainedEvaluator, "quality", interrupted)
    shared = ("--workspace", str(workspace))
    code, _, err = say(capsys, *shared, *WORDS, "--budgets", "2ms,1.5ms", "--quiet")
    assert code == 130
    monkeypatch.setattr(PretrainedEvaluator, "quality", quality)
    hint = err.splitlines()[-1].partition("continue with: ")[2].split()
    assert hint[-2] == "--resume"
    assert run_command(*hint[1:], "--quiet") == 0
    api = latseg.Workspace(workspace)
    resumed = api.curve_of(api.run(hint[-1]))
    assert resumed is not None
    for before, after in zip(whole.runs, resumed.runs, strict=True):
        assert [trial.id for trial in after.trials] == [trial.id for trial in before.trials]
    assert [[w.trial.id for w in row.winners] for row in resumed.rows] == [
        [w.trial.id for w in row.winners] for row in whole.rows
    ]
    assert len(asked) == 2 * expected


def test_only_where_no_budget_can_be_kept_it_ends_with_3(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = say(capsys, "--workspace", str(workspace), *WORDS, "--budgets", "1us,2us", "--quiet")
    assert code == 3
    assert "0.002 ms on" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--budgets", "2ms", "--max-latency", "2ms"), "with --max-latency; expected several limits for one --device"),
        (("--budgets", "2ms", "--device", "cpu"), f"'2ms' for {DEVICE}, cpu; expected several limits for one"),
        (("--budgets", ","), "expected several limits for one --device"),
        (("--budgets", "2"), "--budgets: got '2'; expected a positive time with its unit"),
    ],
)
def test_what_is_no_curve_is_refused(
    workspace: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    code, _, err = say(capsys, "--workspace", str(workspace), *WORDS, *words)
    assert code == 2
    assert said in " ".join(err.split())


def test_the_options_of_a_search_are_those_of_a_curve(workspace: Path) -> None:
    curve = latseg.Workspace(workspace).curve(DEVICE, ["2ms", "1ms"], start=False, **OPTIONS, seed=4, winners=2)
    assert [run.id.rpartition("-")[2] for run in curve.runs] == ["2ms", "1ms"]
    assert {(run.config.seed, run.config.winners, run.config.trials) for run in curve.runs} == {(4, 2, 8)}
    assert not any(run.path.exists() for run in curve.runs)
    with pytest.raises(TypeError, match="budgets"):
        latseg.Workspace(workspace).curve(DEVICE, ["2ms"], budgets={}, **OPTIONS)
    with pytest.raises(UserError, match="budgets: got none"):
        latseg.Workspace(workspace).curve(DEVICE, [], **OPTIONS)
