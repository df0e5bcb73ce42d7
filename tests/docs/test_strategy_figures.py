"""The figures of strategies on the pages are those of their files in ``benchmarks/results``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from search.rewards import RewardOptions
from search.strategies.registry import STRATEGIES

ROOT = Path(__file__).parents[2]
RESULT, REWARDED = (
    json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())
    for name in ("strategies", "rewarded_strategies")
)
BASELINES = ("random", "optuna:random")
MEANS = {
    "best quality, %": ("best_quality", 100),
    "volume": ("hypervolume", 1),
    "usable nets among the evaluated, %": ("usable_share", 100),
    "repaired": ("repaired", 1),
    "seconds for 100 proposals": ("seconds_per_100_proposals", 1),
    "evaluations in an hour": ("evaluations_per_hour", 1),
}
"""Key and factor by column."""
WITH_INTERVAL = ("best_quality", "hypervolume")
DIFFERENCES = {
    f"{column} `{baseline}`": (key, factor, baseline)
    for column, key, factor in (
        ("best quality, points above", "best_quality", 100),
        ("volume above that of", "hypervolume", 1),
    )
    for baseline in BASELINES
}
Row = dict[str, str]


def section(page: str, title: str) -> str:
    """The part of a page below a title, to the next one of its rank."""
    text = (ROOT / "docs" / page).read_text()
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def tables(text: str) -> list[dict[str, Row]]:
    """Each table by the first cell of its rows, without what stands in brackets there; cells by column."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        header, _, *rows = ([cell.strip() for cell in line[1:-1].split("|")] for line in block.splitlines())
        found.append({row[0].partition(" (")[0].replace("`", ""): dict(zip(header, row, strict=True)) for row in rows})
    return found


def shown(cell: str) -> list[str]:
    return re.findall(r"-?[\d,]*\.?\d+", cell)


def agree(cell: str, values: list[float]) -> bool:
    """Whether a cell shows these values, each rounded to its last digit; zeros behind a comma are no digits."""
    if len(texts := shown(cell)) != len(values):
        return False
    units = [1000.0 if text.endswith(",000") else 10.0 ** -len(text.partition(".")[2]) for text in texts]
    pairs = zip(texts, units, values, strict=True)
    return all(abs(float(text.replace(",", "")) - value) <= unit / 2 + 1e-9 for text, unit, value in pairs)


def expected_mean(strategy: str, column: str) -> list[float]:
    key, factor = MEANS[column]
    row: dict[str, Any] = RESULT["summary"][strategy]
    values = [row[key]] if key in row else []
    return [factor * value for value in (*values, *(row[f"{key}_interval"] if key in WITH_INTERVAL else []))]


@pytest.mark.parametrize(
    ("text", "strategies"),
    [
        (section("benchmarks.md", "Strategies of a search: `strategies`"), set(RESULT["summary"])),
        (section("searching.md", "Strategies that train gates"), {"random", "proxyless", "sgas", "evolution"}),
    ],
    ids=["benchmarks.md", "searching.md"],
)
def test_means_are_those_of_the_file(text: str, strategies: set[str]) -> None:
    table = tables(text)[0]
    assert set(table) == strategies
    for name, (first, *cells) in ((name, row.items()) for name, row in table.items()):
        assert first[0] == "strategy"
        for column, cell in cells:
            assert agree(cell, expected_mean(name, column)), f"{name}, {column}: {cell}"


def test_differences_are_those_of_the_file() -> None:
    _, table = tables(section("benchmarks.md", "Strategies of a search: `strategies`"))
    ours = {name for name in RESULT["summary"] if "without repair" not in name}
    assert set(table) == ours - set(BASELINES)
    for name, row in table.items():
        assert set(row) == {"strategy", *DIFFERENCES}
        for column, (key, factor, baseline) in DIFFERENCES.items():
            found = RESULT["paired"][baseline][name][key]
            values = [factor * value for value in (found["difference"], *found["interval"])]
            assert agree(row[column], values), f"{name}, {column}: {row[column]}"
            assert ("**" in row[column]) == (values[1] > 0), f"{name}, {column}: {row[column]}"


def test_the_advice_names_those_that_are_above_both_baselines() -> None:
    advice = section("searching.md", "Strategies").split("Which one?")[1].split("\n\n")[0]
    named = re.findall(r"`([^`]+)` \(([\d.]+) %\)", advice)
    assert {"evolution", *BASELINES} <= dict(named).keys()
    for name, percent in named:
        assert agree(percent, [100 * RESULT["summary"][name]["best_quality"]]), name
    for key, what in (("best_quality", "networks"), ("hypervolume", "fronts")):
        (sentence,) = re.findall(
            rf"Only ([^.]*?) finds? (?:better|larger) {what}", re.sub(r" \([\d.]+ %\)", "", advice)
        )
        assert re.findall(r"`([^`]+)`", sentence) == RESULT["above_both_baselines"][key]


@pytest.mark.parametrize("name", ["evolution", "random", "regularised-evolution", "reinforce", "proxyless"])
def test_options_are_listed_with_the_defaults_of_the_code(name: str) -> None:
    cell = tables(section("searching.md", "Strategies"))[0][name]["options (default)"]
    listed = {option: float(default) for option, default in re.findall(r"`(\w+)` \(([\d.]+)\)", cell)}
    fields = STRATEGIES.parse(name)[0].Options.model_fields
    assert listed == {option: fields[option].default for option in fields.keys() - RewardOptions.model_fields.keys()}


@pytest.mark.parametrize(("name", "least"), [("ppo", 2), ("sgas", 4)])
def test_options_beside_those_of_another_strategy_have_the_defaults_of_the_code(name: str, least: int) -> None:
    cell = tables(section("searching.md", "Strategies"))[0][name]["options (default)"]
    listed = {option: float(default) for option, default in re.findall(r"`(\w+)` \(([\d.]+)\)", cell)}
    fields = STRATEGIES.parse(name)[0].Options.model_fields
    assert len(listed) == least
    assert listed == {option: fields[option].default for option in listed}


def expected_with_reward(row: dict[str, Any], base: dict[str, Any]) -> list[list[float]]:
    """Of each column behind the strategy; the baseline is not compared with itself."""
    paired = REWARDED["paired"].get(row["strategy"])
    above, wins = [], []
    if paired:
        above = [100 * value for value in (paired["difference"], *paired["interval"])]
        wins = [sum(ours["best"] > theirs["best"] for ours, theirs in zip(row["runs"], base["runs"], strict=True))]
    return [[row["best"]], [row["best_sd"]], [row["last"]], above, wins, [row["seconds"]]]


def test_figures_of_strategies_with_a_reward_are_those_of_the_file() -> None:
    (table,) = tables(section("benchmarks.md", "Strategies that learn from a reward: `rewarded_strategies`"))
    rows = {row["strategy"]: row for row in REWARDED["rows"]}
    assert set(table) == set(rows)
    for name, (_, *cells) in ((name, row.values()) for name, row in table.items()):
        for cell, values in zip(cells, expected_with_reward(rows[name], rows["random"]), strict=True):
            assert agree(cell, values), f"{name}: {cell}"


@pytest.mark.parametrize(
    ("cell", "values", "same"),
    [
        ("64.6 (64.5 to 64.8)", [64.64, 64.47, 64.78], True),
        ("64.6 (64.5 to 64.8)", [64.64, 64.57, 64.78], False),
        ("64.6", [64.64, 64.57, 64.78], False),
        ("905,000", [905_400.0], True),
        ("905,000", [771_287.0], False),
        ("0.041", [0.047], False),
        ("-0.1", [0.1], False),
        (".6890", [0.68896], True),
        (".6890", [0.68906], False),
        ("", [], True),
        ("85", [], False),
    ],
)
def test_a_figure_agrees_to_its_last_digit(cell: str, values: list[float], same: bool) -> None:
    assert agree(cell, values) is same
