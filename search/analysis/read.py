"""Reads what ``analyse`` was given: the folder of a run, or a CSV file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from search.analysis.csv_log import read_csv
from search.analysis.run_log import read_run
from search.analysis.search_log import SearchLog
from search.run_config import FILE_NAME


def is_run(path: Path) -> bool:
    """Whether the path is the folder of a run."""
    return (path / FILE_NAME).is_file()


def read_log(path: Path, columns: Mapping[str, str] | None = None, max_parameters: float | None = None) -> SearchLog:
    """The trials of one search.

    Args:
        path: folder of a run, or CSV file.
        columns: of a CSV file: name of the column by role, where it is not guessed.
        max_parameters: of a CSV file: limit with which the trials are compared.

    Raises:
        UserError: as ``read_run`` and ``read_csv``.
    """
    return read_run(path) if is_run(path) else read_csv(path, columns or {}, max_parameters)
