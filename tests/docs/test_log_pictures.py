"""The page on analyses shows the pictures that are kept, and quotes the findings of the result file."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "analysing.md").read_text()


def test_its_pictures_are_there_and_small() -> None:
    shown = re.findall(r"!\[[^\]]+\]\((pictures/log_\w+\.svg)\)", PAGE)
    assert set(shown) == {f"pictures/{path.name}" for path in (ROOT / "docs" / "pictures").glob("log_*.svg")}
    assert len(shown) == 4
    for path in shown:
        assert (ROOT / "docs" / path).stat().st_size < 150_000


def test_it_quotes_every_finding() -> None:
    findings = json.loads((ROOT / "benchmarks" / "results" / "log_pictures.json").read_text())["findings"]
    lines = [f"{'!' if each['fault'] else '-'} {each['text']} {each['remedy']}".strip() for each in findings]
    (quoted,) = re.findall(r"```text\n(.*?)\n```", PAGE, re.DOTALL)
    assert quoted.splitlines() == lines
