"""Every notebook in ``examples/`` runs from its first cell to its last, and is committed without outputs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

SHORT_WORK = """
from tests.latseg.conftest import less_work
from tests.short_feasibility import sample_less
from tests.short_fits import shorten
less = less_work()  # without a name it would end at once
less.__enter__()
shorten(steps=50)
sample_less()
"""
NOTEBOOKS = sorted((Path(__file__).parents[2] / "examples").glob("*.ipynb"))
LONG = ("own_device_and_strategy", "own_model", "quick_start")
"""What they show is tested elsewhere, too; the others are among `make test`."""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_outputs_are_committed(path: Path) -> None:
    cells = json.loads(path.read_text())["cells"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Path, Future[object]]]:
    """All chosen notebooks at the same time, each in an empty folder."""
    chosen = {f"test_notebook[{path.stem}]": path for path in NOTEBOOKS}
    paths = [chosen[item.name] for item in request.session.items if item.name in chosen]
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(len(paths)) as pool:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        yield {path: pool.submit(execute, path, tmp_path_factory.mktemp(path.stem)) for path in paths}


def execute(path: Path, folder: Path) -> object:
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(SHORT_WORK))
    client = NotebookClient(notebook, timeout=480, resources={"metadata": {"path": str(folder)}})
    return asyncio.run(client.async_execute())  # a loop of this thread's own, which is closed


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=pytest.mark.long if path.stem in LONG else ()) for path in NOTEBOOKS],
    ids=lambda path: path.stem,
)
def test_notebook(path: Path, runs: dict[Path, Future[object]]) -> None:
    runs[path].result()
