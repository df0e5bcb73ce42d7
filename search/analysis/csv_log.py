"""Reads the log of a search of another program: a CSV file with a header, one trial a line."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from foundation.errors import UserError
from foundation.regular_file import read_regular
from search.analysis.columns import QUALITY, find_columns
from search.analysis.device_columns import bounds_of, is_of_device, latencies_of
from search.analysis.genotype import choice_matrix, flat_genotype
from search.analysis.search_log import PARAMETERS, Cost, SearchLog, Vector

LOG_BYTES = 256 * 2**20
_DELIMITERS = ",;\t"
_MAX_MILLIONS = 1000.0
"""Numbers of parameters that all lie below are millions, where the name of their column has no unit."""
_MAX_SIZE = 1e100
"""Of numbers: their squares and sums are finite, too."""
_MAX_WHOLE = 2**53
"""Below it, every whole number is one of floating point."""
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class _Table:
    path: Path
    header: list[str]
    lines: list[int]
    """Number of the line of each row."""
    rows: list[list[str]]

    def read(self, column: int, what: str, parse: Callable[[str], _Value]) -> list[_Value]:
        """The cells of a column.

        Raises:
            UserError: a cell that ``parse`` refuses.
        """
        found = []
        for line, row in zip(self.lines, self.rows, strict=True):
            try:
                found.append(parse(row[column].strip()))
            except ValueError as error:
                raise UserError(
                    f"{self.path}, line {line}, column {self.header[column]}",
                    seen=f"{row[column][:40]!r} ({error})", expected=what,
                    remedy="mend or delete that line, or name another column with --column ROLE=NAME",
                ) from error  # fmt: skip
        return found

    def numbers(self, column: int | None) -> Vector | None:
        """Finite numbers; NaN for an empty cell. None without a column."""
        return None if column is None else self.column(column)

    def column(self, place: int) -> Vector:
        """Finite numbers; NaN for an empty cell."""
        return np.array(self.read(place, "a finite number", _optional))


def read_csv(path: Path, columns: Mapping[str, str], max_parameters: float | None) -> SearchLog:
    """The trials of a log; columns are recognised by their names (``columns.NAMES``).

    Parameters are what the name of their column says, counts or millions; where it says neither, they are counts, or
    millions where all are below 1,000. Columns about a device are those of ``trials.csv``.

    Args:
        path: the file; its columns are separated by commas, semicolons or tabs.
        columns: name of the column by role, where it is not guessed.
        max_parameters: limit with which the trials are compared; None for no limit.

    Raises:
        UserError: the file cannot be read, has no trials, or a line is malformed.
    """
    table = _read_table(path)
    found = find_columns(table.header, columns)
    quality = np.array(table.read(found[QUALITY], "a finite number", _required))
    trials = np.arange(1, len(quality) + 1)
    if "trial" in found:
        trials = np.array(table.read(found["trial"], "a whole number", _whole), np.int64)
    order = np.argsort(trials, kind="stable")
    devices = _of_devices(table, found)
    costs = [*_costs(table, found, max_parameters), *bounds_of(devices)]
    measured = _measured(table, found) | latencies_of(devices)
    seconds, trained = table.numbers(found.get("seconds")), table.numbers(found.get("trained"))
    slots, choices = _genotypes(table, found.get("genotype"))
    return SearchLog(
        name=path.stem,
        numbers=trials[order],
        quality=quality[order],
        costs=tuple(Cost(cost.name, cost.label, cost.values[order], cost.limit) for cost in costs),
        seconds=None if seconds is None else seconds[order],
        slots=slots,
        choices=choices[order],
        trained=None if trained is None else trained[order],
        latencies={device: pairs[order] for device, pairs in measured.items()},
        quality_label=table.header[found[QUALITY]],
        strategies=_strategies(table, found.get("strategy"), order),
    )


def _strategies(table: _Table, column: int | None, order: NDArray[np.int64]) -> tuple[str, ...]:
    """Empty where all trials are of one."""
    names = [] if column is None else [row[column].strip() for row in table.rows]
    return tuple(names[place] for place in order) if len(set(names)) > 1 else ()


def _read_table(path: Path) -> _Table:
    expected = "a CSV file with a header and one trial a line, or the id of a run"
    try:
        text = read_regular(path, limit=LOG_BYTES).decode("utf-8-sig")
        first = text.partition("\n")[0]
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(_DELIMITERS, key=first.count), strict=True)
        header = next(reader, [])
        rows = [(reader.line_num, row) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        seen = f"{path} ({(isinstance(error, OSError) and error.strerror) or error})"
        raise UserError("log of a search", seen=seen, expected=expected, remedy="check the path") from error
    if not rows or len(set(header)) < len(header):
        seen = "a name twice in the header" if rows else "no trials"
        raise UserError(f"log {path}", seen=seen, expected=expected, remedy="mend the file")
    for line, row in rows:
        if len(row) != len(header):
            raise UserError(
                f"{path}, line {line}", seen=f"{len(row)} columns", expected=f"{len(header)}, as the header has",
                remedy="mend or delete that line",
            )  # fmt: skip
    return _Table(path, header, [line for line, _ in rows], [row for _, row in rows])


def _costs(table: _Table, found: Mapping[str, int], max_parameters: float | None) -> list[Cost]:
    costs = []
    parameters = table.numbers(found.get("parameters"))
    if parameters is not None and np.isfinite(parameters).any():
        name = table.header[found["parameters"]].lower()
        millions = "count" not in name and (_says_millions(name) or np.nanmax(parameters) < _MAX_MILLIONS)
        values = parameters * 1e6 if millions else parameters
        costs.append(Cost(PARAMETERS, "parameters, M", values, max_parameters))
    latency = table.numbers(found.get("latency"))
    if latency is not None:
        costs.append(Cost("latency:log", "latency, ms", latency))
    return costs


def _of_devices(table: _Table, found: Mapping[str, int]) -> dict[str, Vector]:
    """Columns about a device that no role has, by name."""
    places = set(range(len(table.header))) - set(found.values())
    return {table.header[place]: table.column(place) for place in sorted(places) if is_of_device(table.header[place])}


def _measured(table: _Table, found: Mapping[str, int]) -> dict[str, Vector]:
    predicted, measured = table.numbers(found.get("latency")), table.numbers(found.get("measured"))
    return {} if predicted is None or measured is None else {"log": np.column_stack([predicted, measured])}


def _genotypes(table: _Table, column: int | None) -> tuple[tuple[str, ...], np.ndarray]:
    if column is None:
        return (), np.empty((len(table.rows), 0), np.int64)
    try:
        return choice_matrix(table.read(column, "a nested list of integers, as JSON", flat_genotype))
    except ValueError as error:
        raise UserError(
            f"{table.path}, column {table.header[column]}", seen=str(error), expected="genotypes of one search space",
            remedy="name another column with --column genotype=NAME",
        ) from error  # fmt: skip


def _says_millions(name: str) -> bool:
    return "million" in name or name.endswith("_m")


def _required(cell: str) -> float:
    number = float(cell)
    if not math.isfinite(number):
        raise ValueError("not finite")
    if abs(number) > _MAX_SIZE:
        raise ValueError("too large")
    return number


def _whole(cell: str) -> int:
    number = _required(cell)
    if abs(number) > _MAX_WHOLE:
        raise ValueError("too large")
    if not number.is_integer():
        raise ValueError("not whole")
    return int(number)


def _optional(cell: str) -> float:
    return _required(cell) if cell else math.nan
