"""What ``search`` says of the bounds that its own candidates calibrated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from latseg.commands.search import _document, _render
from latseg.console import Console
from search.loop import SearchResult
from tests.search.test_loop import search, toy_budgets

STATEMENT = "bound calibrated on 12 measured candidates of the search at 90 %: 0.970 times the prediction"


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> SearchResult:
    return search(tmp_path_factory.mktemp("search"), toy_budgets())


@pytest.mark.parametrize("bounds", [{}, {"cpu": STATEMENT}])
def test_bounds_of_candidates_are_printed(result: SearchResult, tmp_path: Path, bounds: dict[str, str]) -> None:
    found = replace(result, bounds=bounds)
    assert _document("run", found)["bounds"] == bounds
    lines = " ".join(str(line) for line in _render(Console(workspace=tmp_path, muted=True), "run", found))
    assert (f"n cpu, later: {STATEMENT}." in lines) == bool(bounds)
