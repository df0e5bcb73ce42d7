"""The programs of ``benchmarks/``."""

from __future__ import annotations

import sys
from pathlib import Path


def test_none_hides_a_module_of_python() -> None:
    # Python itself does not start where this folder is on its path and ``encodings.py`` lies in it.
    programs = {path.stem for path in (Path(__file__).parents[2] / "benchmarks").glob("*.py")}
    assert len(programs) > 50
    assert programs & sys.stdlib_module_names == set()
