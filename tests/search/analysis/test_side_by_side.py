"""Strategies that share one search are compared by what each proposed."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from search.analysis.analysed import AnalysedLog
from search.analysis.analysis import analyse
from search.analysis.pictures.quality import draw_best_so_far
from search.analysis.read import read_log
from search.analysis.search_log import SearchLog
from search.run_config import CurvePoint
from search.run_folder import RunFolder
from search.trials import TrialStore
from tests.search.analysis.logs import even_log, write_run
from tests.search.test_trials import make_trials


def two() -> SearchLog:
    return even_log(4, quality=np.array([0.5, 0.75, 0.625, 0.25]), strategies=("ppo", "random", "ppo", "random"))


def test_best_and_median_of_each_are_told() -> None:
    (finding,) = (each for each in AnalysedLog(two()).findings if each.name == "side-by-side")
    assert finding.figures == {"ppo": 0.625, "random": 0.75}
    assert "random 0.75 (median 0.5), ppo 0.625 (median 0.5625)" in finding.text
    assert not [each for each in AnalysedLog(even_log(4)).findings if each.name == "side-by-side"]


def test_the_tables_have_them(tmp_path: Path) -> None:
    tables = dict(analyse([two()]).tables())
    assert list(csv.reader(tables["strategies"].content.decode().splitlines()))[1:] == [
        ["ppo", "2", "0.625", "0.5625"],
        ["random", "2", "0.75", "0.5"],
    ]
    (tmp_path / "trials.csv").write_bytes(tables["trials"].content)
    assert read_log(tmp_path / "trials.csv").strategies == two().strategies
    assert "strategies" not in dict(analyse([even_log()]).tables())


def test_each_has_a_line_of_its_own_best() -> None:
    (axes,) = draw_best_so_far([two()]).axes
    lines = {line.get_label(): line.get_ydata().tolist() for line in axes.lines}
    assert lines["ppo"] == [0.5, 0.625]
    assert lines["random"] == [0.75, 0.75]


@pytest.mark.parametrize(
    ("strategy", "names"),
    [
        ("random", ()),
        ("ppo|random", ("ppo", "random", "ppo", "random")),
        ("ppo | ppo|random", ("ppo #1", "ppo #2", "random", "ppo #1")),
    ],
)
def test_a_run_tells_them_by_the_generations(tmp_path: Path, strategy: str, names: tuple[str, ...]) -> None:
    folder = write_run(tmp_path, strategy=strategy)
    trials = make_trials(4)
    with TrialStore(RunFolder(folder).trials) as store:
        for generation, trial in enumerate(trials):
            store.add(replace(trial, generation=generation))
    assert read_log(folder).strategies == names


@pytest.mark.parametrize(
    ("run", "generations", "names"),
    [
        ("large", (0, 1, 2), ("ppo", "random", "ppo")),
        ("small", (0, 1, 2), ("another budget", "random", "ppo")),
        ("small", (1, 2, 3), ("ppo", "ppo", "random")),  # nothing of the larger budget keeps this one
    ],
)
def test_trials_of_a_larger_budget_are_of_no_strategy_of_this_run(
    tmp_path: Path, run: str, generations: tuple[int, ...], names: tuple[str, ...]
) -> None:
    curve = (CurvePoint(run="large", maximum_ms=2.0), CurvePoint(run="small", maximum_ms=1.0))
    folder = write_run(tmp_path, strategy="ppo|random", run=run, curve=curve)
    with TrialStore(RunFolder(folder).trials) as store:
        for generation, trial in zip(generations, make_trials(3), strict=True):
            store.add(replace(trial, generation=generation))
    assert read_log(folder).strategies == names


def test_trials_of_a_larger_budget_have_their_quality_for_a_reward(tmp_path: Path) -> None:
    curve = (CurvePoint(run="large", maximum_ms=2.0), CurvePoint(run="small", maximum_ms=1.0))
    folder = write_run(tmp_path, strategy="regularised-evolution:latency=1", run="small", curve=curve)
    adopted, own = make_trials(2)
    with TrialStore(RunFolder(folder).trials) as store:
        store.add(adopted, replace(own, generation=1))
    rewards = read_log(folder).rewards
    assert rewards is not None
    assert rewards[0] == adopted.quality
    assert rewards[1] == pytest.approx(own.quality * 3 / 2), "2 ms of 3 ms"
