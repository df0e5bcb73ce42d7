"""Pictures and tables: which there are, what they hold, that they are the same each time."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from foundation.errors import UserError
from search.analysis.analysed import AnalysedLog
from search.analysis.analysis import Analysis, analyse
from search.analysis.pictures.fronts import front_of
from search.analysis.pictures.style import COLOURS, line_style, render, shortened
from search.analysis.read import read_log
from search.analysis.search_log import Cost, SearchLog
from search.analysis.tables import tables_of
from tests.search.analysis.logs import even_log, parameters
from tests.shared_cases import shared_data

ALONE = ["best_so_far", "fronts", "windows", "course", "parameters"]


def full_analysis(trials: int = 60) -> Analysis:
    """A log that has everything, with unknown values."""
    rng = np.random.default_rng(0)
    latency = rng.uniform(1, 2, trials)
    latency[3] = np.nan
    pairs = np.column_stack([latency, np.where(np.arange(trials) % 7 == 0, latency * 1.1, np.nan)])
    counts = parameters(*rng.uniform(1e5, 9e5, trials), limit=8e5)
    log = even_log(
        trials,
        costs=(*counts, Cost("latency:a/b", "latency bound on a/b, ms", latency, 1.9)),
        latencies={"a/b": pairs},
        trained=np.where(np.arange(trials) % 9 == 0, 0.8, np.nan) + 0.01 * np.arange(trials),
        rejected={"parameters": 12, "latency:a/b": 3},
        seconds=rng.random(trials),
    )
    return analyse([log])


def drawn(analysis: Analysis, name: str) -> Figure:
    return dict(analysis.pictures())[name].draw()


def test_each_picture_is_there_where_its_data_are() -> None:
    names = [*ALONE, "rejections", "diversity", "importance", "trained", "latency_a_b"]
    assert [name for name, _ in full_analysis().pictures()] == names
    bare = even_log(30, costs=(), choices=np.empty((30, 0), np.int64), slots=())
    assert [name for name, _ in analyse([bare]).pictures()] == ["best_so_far", "windows", "course"]


@pytest.mark.parametrize("name", [name for name, _ in full_analysis().pictures()])
def test_every_picture_has_labelled_axes_and_content(name: str) -> None:
    figure = drawn(full_analysis(), name)
    assert figure.axes
    assert any(axes.get_xlabel() for axes in figure.axes)
    assert all(axes.has_data() for axes in figure.axes)
    with Image.open(BytesIO(render(lambda: figure, "png", dpi=50))) as picture:
        assert picture.width == 325


def test_one_trial_can_be_drawn() -> None:
    for _, picture in analyse([even_log(1)]).pictures():
        assert render(picture.draw, "png", dpi=30)


def test_the_line_of_the_best_and_the_limit() -> None:
    log = even_log(30, costs=parameters(*np.linspace(1e5, 3e5, 30), limit=2e5))
    (axes,) = drawn(analyse([log]), "best_so_far").axes
    best = next(line for line in axes.lines if line.get_label() == "best so far")
    assert list(best.get_ydata()) == log.best_so_far.tolist()
    limit = next(line for line in drawn(analyse([log]), "course").axes[0].lines if line.get_label() == "limit")
    assert set(limit.get_ydata()) == {0.2}


def test_a_reward_that_is_more_than_the_quality_has_a_panel_and_a_column() -> None:
    log = even_log(30)
    rewarded = replace(log, rewards=2 * log.quality)
    assert [axes.get_ylabel() for axes in drawn(analyse([rewarded]), "course").axes][-2:] == [
        "quality",
        "reward of the strategy",
    ]
    assert drawn(analyse([log]), "course").axes[-1].get_ylabel() == "quality"
    (table,) = [table for table in tables_of(AnalysedLog(rewarded)) if table.name == "trials"]
    assert [row[table.header.index("reward")] for row in table.rows] == (2 * log.quality).tolist()


def test_boxes_are_those_of_the_windows() -> None:
    (axes,) = drawn(analyse([even_log(60)]), "windows").axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "26", "51"]
    assert axes.get_xlabel() == "first trial of each window of 25 trials"


def test_entropy_is_that_of_the_slots() -> None:
    _, axes, _ = drawn(analyse([even_log(60)]), "diversity").axes
    assert axes.get_ylabel() == "slot"
    assert [label.get_text() for label in axes.get_yticklabels()] == [f"slot{i}" for i in range(6)]


def test_levels_are_drawn() -> None:
    counts = 4e5 + 1.2e5 * np.random.default_rng(0).integers(0, 6, 120)
    (axes,) = drawn(analyse([even_log(120, costs=parameters(*counts))]), "parameters").axes
    levels = sorted(float(line.get_xdata()[0]) for line in axes.lines)
    assert levels == pytest.approx([0.4, 0.52, 0.64, 0.76, 0.88, 1.0], abs=0.01)
    (axes,) = drawn(analyse([even_log(120)]), "parameters").axes
    assert not axes.lines


def test_the_levels_of_the_log_of_2020_are_drawn() -> None:
    log = read_log(shared_data("portrait_search_log/candidates.csv"), max_parameters=4e5)
    (axes,) = drawn(analyse([log]), "parameters").axes
    levels = [float(line.get_xdata()[0]) for line in axes.lines if line.get_linestyle() == ":"]
    counts = np.sort(log.costs[0].values) / 1e6
    heaps = np.split(counts, np.flatnonzero(np.diff(counts) > 0.035) + 1)
    assert len(heaps) == 8
    for level, heap in zip(levels, heaps, strict=True):
        assert heap[0] - 0.02 <= level <= heap[-1] + 0.02
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["level", "limit"]


def test_a_front_has_only_what_nothing_beats() -> None:
    costs, quality = front_of(np.array([0.5, 0.4, 0.7, 0.6, 0.9]), np.array([1.0, 2.0, 2.0, 3.0, np.nan]))
    assert costs.tolist() == [1.0, 2.0]
    assert quality.tolist() == [0.5, 0.7]


def test_several_logs_share_pictures_and_have_folders(tmp_path: Path) -> None:
    first, second = even_log(30), replace(even_log(30, seed=1), name="../even")
    analysis = analyse([first, first, second])
    assert [log.name for log in analysis.logs] == ["even", "even-2", "_even"]
    names = [name for name, _ in analysis.pictures()]
    assert names[:2] == ["best_so_far", "fronts"]
    assert {"even/windows", "even-2/windows", "_even/windows"} <= set(names)
    figure = drawn(analysis, "fronts")
    assert figure.legends[0].get_title().get_text() == "Pareto fronts (lines) of trials (dots)"
    (axes,) = figure.axes
    assert [line.get_label() for line in axes.lines if len(line.get_xdata()) < 30] == ["even", "even-2", "_even"]
    assert set(analysis.hypervolume) == {"even", "even-2", "_even"}
    assert {finding.log for finding in analysis.findings} == set(analysis.hypervolume)


def test_a_number_for_an_equal_name_is_no_name_of_another_log() -> None:
    logs = [replace(even_log(), name=name) for name in ("run", "run", "run-2")]
    names = [part.log.name for part in analyse(logs).parts]
    assert len(set(names)) == 3
    assert names[0] == "run"


def test_labels_of_files_are_no_formulas() -> None:
    log = replace(even_log(), quality_label="reward $a_{$ x")
    picture = dict(analyse([log]).pictures())["best_so_far"]
    assert render(picture.draw, "png")


def test_lines_stay_different_after_all_colours() -> None:
    assert len({tuple(line_style(position).values()) for position in range(3 * len(COLOURS))}) == 3 * len(COLOURS)
    assert shortened(["short", "a" * 20 + "b" * 20], most=10) == ["short", "aaaa…bbbbb"]


def test_files_are_written_and_the_same_again(tmp_path: Path) -> None:
    log = even_log(30, choices=np.empty((30, 0), np.int64), slots=(), costs=())
    one, two = (analyse([log]).write(tmp_path / name) for name in "ab")
    assert [path.suffix for path in one.pictures] == [".png", ".svg"] * 3
    for first, second in zip((*one.pictures, *one.tables), (*two.pictures, *two.tables), strict=True):
        assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in tmp_path.glob("a/*.csv")) == [
        "findings.csv", "fronts.csv", "hypervolume.csv", "trials.csv", "windows.csv",
    ]  # fmt: skip


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="--out DIR"):
        analyse([even_log(1)]).write(tmp_path / "file" / "analysis")


def read_again(log: SearchLog, path: Path, columns: Mapping[str, str] | None = None) -> SearchLog:
    path.write_bytes(dict(analyse([log]).tables())["trials"].content)
    return read_log(path, columns)


def test_the_table_of_trials_is_read_again_as_it_was(tmp_path: Path) -> None:
    log = full_analysis().logs[0]
    again = read_again(log, tmp_path / "trials.csv")
    for name in ("numbers", "quality", "seconds", "trained", "choices"):
        np.testing.assert_array_equal(getattr(again, name), getattr(log, name), err_msg=name)
    assert again.slots == log.slots
    assert [replace(cost, values=None) for cost in again.costs] == [
        replace(cost, values=None, limit=None) for cost in log.costs
    ]
    for one, two in zip(again.costs, log.costs, strict=True):
        np.testing.assert_array_equal(one.values, two.values)
    assert list(again.latencies) == ["a/b"]
    np.testing.assert_array_equal(again.latencies["a/b"], log.latencies["a/b"])


def test_counts_below_a_thousand_stay_counts(tmp_path: Path) -> None:
    log = even_log(3, costs=parameters(1.0, 12.0, 999.0))
    assert read_again(log, tmp_path / "trials.csv").costs[0].values.tolist() == [1, 12, 999]


def test_a_bound_of_a_device_may_be_named_as_the_latency(tmp_path: Path) -> None:
    log = full_analysis().logs[0]
    again = read_again(log, tmp_path / "trials.csv", {"latency": "latency:a/b"})
    assert [cost.name for cost in again.costs] == ["parameters", "latency:log"]
    np.testing.assert_array_equal(again.costs[1].values, log.costs[1].values)


def test_tables_hold_what_was_computed() -> None:
    analysis = full_analysis()
    tables = {name: list(csv.DictReader(table.content.decode().splitlines())) for name, table in analysis.tables()}
    (part,) = analysis.parts
    assert tables["rejections"] == [
        {"limit": "parameters", "candidates": "12"}, {"limit": "latency:a/b", "candidates": "3"},
    ]  # fmt: skip
    assert [row["name"] for row in tables["findings"]] == [finding.name for finding in analysis.findings]
    assert [row["slot"] for row in tables["importance"]] == [slot.slot for slot in part.importance]
    assert part.diversity is not None
    assert float(tables["diversity"][0]["edit_distance"]) == pytest.approx(part.diversity.distance[0])
    assert float(tables["windows"][0]["median"]) == pytest.approx(np.median(part.log.quality[:25]))
    assert float(tables["hypervolume"][0]["hypervolume"]) == pytest.approx(analysis.hypervolume["even"])
    assert len(tables["entropy"]) == 6
    assert {row["cost"] for row in tables["fronts"]} == {"parameters", "latency:a/b"}
