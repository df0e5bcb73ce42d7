"""The analysis of one or several searches, and its files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from foundation.atomic_file import write_file
from foundation.errors import UserError
from search.analysis.analysed import AnalysedLog
from search.analysis.findings.finding import Finding
from search.analysis.hypervolume import hypervolume_of, reference_costs
from search.analysis.pictures.album import Picture, pictures_of, shared_pictures
from search.analysis.pictures.style import render
from search.analysis.search_log import SearchLog
from search.analysis.tables import CsvTable, shared_tables, tables_of


@dataclass(frozen=True, slots=True)
class AnalysisFiles:
    """What ``Analysis.write`` has written."""

    pictures: tuple[Path, ...]
    """Each as PNG and as SVG."""
    tables: tuple[Path, ...]
    """CSV."""


@dataclass(frozen=True)
class Analysis:
    """Searches, analysed one by one and together."""

    parts: tuple[AnalysedLog, ...]

    @property
    def logs(self) -> list[SearchLog]:
        """The logs."""
        return [part.log for part in self.parts]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the logs show, log by log."""
        return tuple(finding for part in self.parts for finding in part.findings)

    @cached_property
    def reference(self) -> dict[str, float]:
        """Reference point of the hypervolume beside quality 0: costs that all logs have (``reference_costs``)."""
        return reference_costs(self.logs)

    @cached_property
    def hypervolume(self) -> dict[str, float]:
        """Hypervolume by log, all with the same reference."""
        return {log.name: hypervolume_of(log, self.reference) for log in self.logs}

    def pictures(self) -> Iterator[tuple[str, Picture]]:
        """Each picture with its path below the folder, without an ending."""
        yield from ((picture.name, picture) for picture in shared_pictures(self.logs))
        for part in self.parts:
            yield from ((self._path(part, picture.name), picture) for picture in pictures_of(part))

    def tables(self) -> Iterator[tuple[str, CsvTable]]:
        """Each table with its path below the folder, without an ending."""
        yield from ((table.name, table) for table in shared_tables(self.logs, self.findings, self.hypervolume))
        for part in self.parts:
            yield from ((self._path(part, table.name), table) for table in tables_of(part))

    def write(self, folder: Path) -> AnalysisFiles:
        """Writes pictures and tables, each file whole or not at all; of several logs, each has a folder of its own.

        Raises:
            UserError: the folder cannot be written.
        """
        pictures, tables = [], []
        try:
            for name, picture in self.pictures():
                pictures.append(write_file(folder / f"{name}.png", render(picture.draw, "png")))
                pictures.append(write_file(folder / f"{name}.svg", render(picture.draw, "svg")))
            for name, table in self.tables():
                tables.append(write_file(folder / f"{name}.csv", table.content))
        except OSError as error:
            raise UserError(
                "analysis", seen=f"{folder} ({error.strerror or error})", expected="a folder that can be written",
                remedy="name another one with --out DIR",
            ) from error  # fmt: skip
        return AnalysisFiles(tuple(pictures), tuple(tables))

    def _path(self, part: AnalysedLog, name: str) -> str:
        safe = _safe(name)
        return safe if len(self.parts) == 1 else f"{part.log.name}/{safe}"


def analyse(logs: Sequence[SearchLog], seed: int = 0) -> Analysis:
    """The analysis of at least one log; equal names get a number.

    Args:
        logs: the searches.
        seed: of the permutations by which the importance of slots is corrected for chance.
    """
    parts: dict[str, AnalysedLog] = {}
    for log in logs:
        name = first = _safe(log.name)
        number = 2
        while name in parts:
            name, number = f"{first}-{number}", number + 1
        parts[name] = AnalysedLog(replace(log, name=name), seed)
    return Analysis(tuple(parts.values()))


def _safe(name: str) -> str:
    """A name for a file."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip(".") or "log"
