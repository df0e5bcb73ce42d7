"""Logs of other programs: columns by name or as given, units, genotypes, and what is wrong with a line."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from foundation.errors import UserError
from search.analysis.analysed import AnalysedLog
from search.analysis.genotype import MAX_SLOTS, flat_genotype
from search.analysis.read import read_log
from search.analysis.search_log import ABSENT, SearchLog
from tests.shared_cases import shared_data

LOG = """candidate,reward,params_millions,seconds,genotype
9,0.41,0.50,22.36,"[[0, [1, 0]], [3, 1]]"
4,0.37,0.61,57.80,"[[4, [0, 1]], [3, 3]]"
"""


def read(folder: Path, text: str, **options: object) -> SearchLog:
    path = folder / "log.csv"
    path.write_text(text, encoding="utf-8")
    return read_log(path, **options)  # type: ignore[arg-type]


def error_of(folder: Path, text: str, **options: object) -> str:
    with pytest.raises(UserError) as error:
        read(folder, text, **options)
    return str(error.value)


def test_a_column_that_is_taken_leaves_its_role_to_the_next_name(tmp_path: Path) -> None:
    log = read(tmp_path, "trial,quality,reward\n1,0.9,0.5\n2,0.8,0.6\n", columns={"trained": "quality"})
    assert log.quality.tolist() == [0.5, 0.6]
    assert log.trained is not None
    assert log.trained.tolist() == [0.9, 0.8]


@pytest.mark.parametrize("sign", ["\u2028", "\x85", "\x0b", "\x0c"])
def test_only_line_ends_end_a_line(tmp_path: Path, sign: str) -> None:
    assert len(read(tmp_path, f"trial,quality,note\n1,0.5,a{sign}b\n2,0.6,c\n")) == 2


def test_columns_are_guessed_and_trials_sorted_by_their_numbers(tmp_path: Path) -> None:
    log = read(tmp_path, LOG, max_parameters=5.5e5)
    assert log.name == "log"
    assert log.numbers.tolist() == [4, 9]
    assert log.quality.tolist() == [0.37, 0.41]
    assert log.quality_label == "reward"
    (cost,) = log.costs
    assert cost.values.tolist() == [610_000, 500_000]
    assert log.over_limit.tolist() == [True, False]
    assert log.seconds is not None
    assert log.seconds.tolist() == [57.8, 22.36]
    assert log.slots == ("0.0", "0.1.0", "0.1.1", "1.0", "1.1")
    assert log.choices.tolist() == [[4, 0, 1, 3, 3], [0, 1, 0, 3, 1]]


@pytest.mark.parametrize(
    ("header", "values", "expected"),
    [
        ("params", ("0.5", "2"), [5e5, 2e6]),
        ("params", ("500000", "2000000"), [5e5, 2e6]),
        ("params_M", ("2000", "3000"), [2e9, 3e9]),
        ("Num-Params", ("1000.0", "12"), [1000, 12]),
        ("Param Count", ("9", "12"), [9, 12]),
    ],
)
def test_units_of_parameters(tmp_path: Path, header: str, values: tuple[str, str], expected: list[float]) -> None:
    log = read(tmp_path, f"score;{header}\n1;{values[0]}\n2;{values[1]}\n")
    assert log.costs[0].values.tolist() == expected
    assert log.numbers.tolist() == [1, 2]


def test_columns_may_be_named(tmp_path: Path) -> None:
    text = "a,b,c,d,score\n0.1,5,7,8,1\n0.2,6,9,10,1\n"
    roles = {"quality": "a", "latency": "b", "measured": "c", "trained": "d"}
    log = read(tmp_path, text, columns=roles)
    assert log.quality.tolist() == [0.1, 0.2]
    assert log.costs[0].values.tolist() == [5, 6]
    assert log.latencies["log"].tolist() == [[5, 7], [6, 9]]
    assert log.trained is not None
    assert log.trained.tolist() == [8, 10]


def test_empty_cells_are_unknown(tmp_path: Path) -> None:
    log = read(tmp_path, "\ufeffreward\tparams\tlatency\n0.5\t\t\n0.6\t2\t3\n\n")
    assert np.isnan(log.costs[0].values[0])
    assert log.costs[0].known.tolist() == [2e6]
    assert log.cost("latency:log") is not None


def test_slots_that_a_trial_lacks(tmp_path: Path) -> None:
    log = read(tmp_path, 'reward,arch\n1,"{""a"": 1, ""b"": [2]}"\n2,"{""a"": 3}"\n')
    assert log.slots == ("a", "b.0")
    assert log.choices.tolist() == [[1, 2], [3, ABSENT]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (LOG.replace("0.37", "good"), "line 3, column reward: got 'good'"),
        (LOG.replace("0.37", ""), "line 3, column reward"),
        (LOG.replace("0.37", "nan"), "not finite"),
        (LOG.replace("57.80", "1e999"), "line 3, column seconds"),
        (LOG.replace("[3, 3]", "[3, 3.5]"), "line 3, column genotype"),
        (LOG.replace("[3, 3]", "[3, true]"), "true where an integer from 0 is expected"),
        (LOG.replace("[3, 3]", "[3, -1]"), "line 3, column genotype"),
        (LOG.replace("[[4, ", "[" * 100_000), "line 3, column genotype"),
        (LOG.replace(",57.80", ""), "line 3: got 4 columns; expected 5"),
        (LOG.replace("params_millions", "reward"), "a name twice in the header"),
        (LOG.replace("reward", "prize"), "expected one of quality, reward"),
        (LOG.replace('3]]"', "3]]"), "log of a search"),
        (LOG.splitlines()[0], "no trials"),
        ("", "no trials"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    assert told in error_of(tmp_path, text)


def test_wrong_roles_and_columns(tmp_path: Path) -> None:
    assert "--column: got prize; expected one of trial, quality" in error_of(tmp_path, LOG, columns={"prize": "reward"})
    assert "a column of the log: candidate, reward" in error_of(tmp_path, LOG, columns={"quality": "prize"})


def test_files_that_are_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    for name in ("fifo.csv", "binary.csv", "missing.csv", "."):
        with pytest.raises(UserError, match="CSV file with a header"):
            read_log(tmp_path / name)


def test_too_many_slots(tmp_path: Path) -> None:
    many = str(list(range(MAX_SLOTS + 1)))
    assert "2,001 slots" in error_of(tmp_path, f'reward,genotype\n1,"{many}"\n')
    assert flat_genotype("7") == {"0": 7}


def test_the_log_of_2020_is_stratified_and_hardly_usable() -> None:
    log = read_log(shared_data("portrait_search_log/candidates.csv"), max_parameters=4e5)
    findings = {finding.name: finding for finding in AnalysedLog(log).findings}
    assert len(log) == 200
    assert log.slots[:3] == ("0.0", "0.1.0", "0.1.1")
    assert findings["stratified"].figures["levels"] == 8
    assert findings["stratified"].figures["spacing"] == pytest.approx(0.112e6, rel=0.02)
    assert findings["unusable"].figures["kept"] == 4
    assert findings["unusable"].figures["share_of_time"] > 0.95
    assert findings["best"].figures["number"] == 1106
