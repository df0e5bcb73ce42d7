"""What searches did: ``Workspace.analyse``, ``RunHandle.analyse`` and ``latseg.analyse``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latseg.units import as_parameters

if TYPE_CHECKING:
    from search.analysis.analysis import Analysis, AnalysisFiles
    from search.analysis.findings.finding import Finding

FOLDER = "analysis"
"""Name of the folder in that of a run."""


@dataclass(frozen=True)
class SearchAnalysis:
    """Findings on one or several searches, and the files with their pictures and tables."""

    result: Analysis
    files: AnalysisFiles
    folder: Path

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the searches show; of each search, first what should be changed."""
        return self.result.findings

    @property
    def hypervolume(self) -> Mapping[str, float]:
        """By search; the reference point is quality 0 and ``result.reference``."""
        return self.result.hypervolume

    @property
    def pictures(self) -> tuple[Path, ...]:
        """PNG and SVG files."""
        return self.files.pictures

    @property
    def tables(self) -> tuple[Path, ...]:
        """CSV files."""
        return self.files.tables

    def to_json(self) -> dict[str, Any]:
        """The document of ``latseg analyse --json``."""
        return {
            "trials": {log.name: len(log) for log in self.result.logs},
            "findings": [finding.to_json() for finding in self.findings],
            "pictures": [str(path) for path in self.pictures],
            "tables": [str(path) for path in self.tables],
            "hypervolume": dict(self.hypervolume),
            "reference": dict(self.result.reference),
        }


def analyse(
    log: str | Path,
    *others: str | Path,
    out: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    max_parameters: str | int = "0.4M",
    seed: int = 0,
) -> SearchAnalysis:
    """Findings, pictures and tables on searches: what they did, and what to change.

    Args:
        log: folder of a run, or CSV file with one trial a line.
        others: more of them, to be compared.
        out: folder for pictures and tables; by default ``analysis`` in the folder of the first run, or
            ``NAME-analysis`` beside the first CSV file.
        columns: of CSV files: name of the column by role (``search.analysis.columns.NAMES``) that is not guessed.
        max_parameters: limit with which the trials of CSV files are compared; runs have their own.
        seed: of the permutations by which the importance of slots is corrected for chance.

    Raises:
        UserError: a log cannot be read or has no trials, or the folder cannot be written.
    """
    from search.analysis import analysis
    from search.analysis.read import is_run, read_log

    paths = [Path(each) for each in (log, *others)]
    limit = float(as_parameters(max_parameters))
    result = analysis.analyse([read_log(path, columns, limit) for path in paths], seed)
    first = paths[0]
    default = first / FOLDER if is_run(first) else first.with_name(f"{first.stem}-{FOLDER}")
    folder = default if out is None else Path(out)
    return SearchAnalysis(result, result.write(folder), folder)


def column_names(pairs: Sequence[str]) -> dict[str, str]:
    """``ROLE=NAME`` of the command line as a mapping.

    Raises:
        UserError: a text without ``=``, or a role twice.
    """
    from foundation.errors import UserError

    found: dict[str, str] = {}
    for pair in pairs:
        role, equals, name = pair.partition("=")
        if not equals or role in found:
            raise UserError("--column", seen=repr(pair), expected="ROLE=NAME, each role once",
                            remedy="write for example --column quality=reward")  # fmt: skip
        found[role] = name
    return found
