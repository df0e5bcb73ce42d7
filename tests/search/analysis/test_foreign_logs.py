"""Damaged and hostile logs end in one line that says what is wrong, or are analysed."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from foundation.errors import UserError
from search.analysis.analysis import analyse
from search.analysis.read import read_log

HEADER = "trial,reward,params,latency_ms,measured_ms,seconds,trained,genotype"
NUMBERS = ("0", "-1", "1e308", "-1e308", "1e-320", "9" * 30, "9" * 400, "1e20", "0.1", "nan", "inf", "", "x", "1_0")
TEXTS = (
    '"{""\\ud800"": 1}"', '"[1, 2, 3, 4]"', '"{""a"": 1, ""a.b"": 2}"', '"[1e400]"', '"[99999999999]"', '"\\ud800"',
    '"[]"', "7", '"' + "[" * 5000 + '"', '"{""$a_{$"": 3}"', '"[[1], [2, 3], 9]"', '"{""\\u0000"": 1}"',
)  # fmt: skip
SIGNS = ("\0", "\x85", '"', "\r", "\n", ",", ";", "\u2028", "\ufeff", "$", "é")


def line(number: int, rng: Random) -> list[str]:
    choices = ", ".join(str(rng.randrange(4)) for _ in range(3))
    latency = 5 + rng.random()
    numbers = [rng.random(), rng.randrange(10**5, 10**6), latency, latency * 1.1, rng.random(), rng.random()]
    return [str(number), *map(str, numbers), f'"[{choices}]"']


def mutated(seed: int) -> str:
    """A log of up to 120 trials in which up to three cells, and perhaps a sign, are other ones."""
    rng = Random(seed)
    lines = [line(number, rng) for number in range(rng.choice((1, 8, 60, 120)))]
    for _ in range(rng.randrange(4)):
        column = rng.randrange(len(lines[0]))
        chosen = rng.choice(NUMBERS if column < 7 else TEXTS)
        for row in lines if rng.random() < 0.3 else [rng.choice(lines)]:
            row[column] = chosen
    text = "\n".join([HEADER, *map(",".join, lines)])
    place = rng.randrange(len(text))
    return text if rng.random() < 0.7 else text[:place] + rng.choice(SIGNS) + text[place:]


def analysed(path: Path) -> str:
    """What is said of a log: its findings and tables, or why it is refused."""
    try:
        analysis = analyse([read_log(path, max_parameters=4e5)])
    except UserError as error:
        return f"refused: {error}"
    tables = [table.content.decode() for _, table in analysis.tables()]
    return "\n".join([*(finding.sentence for finding in analysis.findings), *tables])


def test_mutated_logs_are_analysed_or_refused(tmp_path: Path) -> None:
    path, refused = tmp_path / "log.csv", 0
    for seed in range(300):
        path.write_text(mutated(seed), encoding="utf-8")
        text = analysed(path)
        assert text.encode()
        refused += text.startswith("refused")
        assert not (text.startswith("refused") and "\n" in text)
    assert 50 <= refused <= 250


@pytest.mark.parametrize(
    ("number", "told"), [("1e30", "1e30"), ("9" * 19, "9" * 19), ("1.5", "1.5"), ("-1e16", "-1e16")]
)
def test_a_trial_has_a_whole_number(tmp_path: Path, number: str, told: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(f"trial,reward\n1,0.5\n{number},0.5\n")
    with pytest.raises(UserError, match=rf"line 3, column trial: got '{told}.*expected a whole number"):
        read_log(path)


def test_names_of_slots_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text('reward,genotype\n1,"{""\\udc80"": 1}"\n')
    with pytest.raises(UserError, match=r"line 2, column genotype: .*lone surrogate"):
        read_log(path)


def test_a_genotype_names_each_slot_once(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text('reward,genotype\n1,"{""a.b"": 1, ""a"": {""b"": 2}}"\n')
    with pytest.raises(UserError, match=r"line 2, column genotype: .*slot a\.b twice"):
        read_log(path)


def test_counts_whose_differences_are_rounding_are_on_no_levels(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    lines = [f"{number},{1e12 if number else 1.0000000000001e12!r}" for number in range(120)]
    path.write_text("\n".join(["reward,params", *lines]))
    assert not [found for found in analyse([read_log(path)]).findings if found.name == "stratified"]
