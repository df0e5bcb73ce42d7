"""What ``latseg analyse`` finds and draws in the log of a search: findings, and pictures for the documentation.

The log is a CSV file as ``docs/analysing.md`` describes it, its lines in the order of the trials. Parameters, windows
and diversity are those of the whole log; the fronts are those of its halves, as of two searches. Writes
``docs/pictures/log_NAME.svg`` and ``benchmarks/results/log_pictures.json``.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import tempfile
from pathlib import Path

import latseg
from latseg.analysis import SearchAnalysis
from provenance import RESULTS, provenance, save

RESULT = RESULTS / "log_pictures.json"
PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
OF_THE_LOG = ("parameters", "windows", "diversity")
OF_BOTH_HALVES = ("fronts",)


def halves(log: Path, folder: Path) -> list[Path]:
    """Two logs in the folder, with the first and the last trials."""
    header, *trials = log.read_text().splitlines()
    middle = len(trials) // 2
    made = []
    for name, part in (("first", trials[:middle]), ("last", trials[middle:])):
        made.append(folder / f"{name}_{len(part)}_trials.csv")
        made[-1].write_text("\n".join([header, *part]))
    return made


def draw(log: Path, pictures: Path) -> SearchAnalysis:
    """Keeps the pictures; the analysis of the whole log."""
    pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        whole = latseg.analyse(log, out=Path(name) / "whole")
        both = latseg.analyse(*halves(log, Path(name)), out=Path(name) / "halves")
        for found, names in ((whole, OF_THE_LOG), (both, OF_BOTH_HALVES)):
            for picture in names:
                shutil.copyfile(found.folder / f"{picture}.svg", pictures / f"log_{picture}.svg")
    return whole


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("--pictures", type=Path, default=PICTURES)
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    found = draw(options.log, options.pictures).to_json()
    document = {
        "benchmark": "log_pictures",
        "log": {"name": options.log.name, "sha256": hashlib.sha256(options.log.read_bytes()).hexdigest()},
        "trials": found["trials"],
        "findings": found["findings"],
    }
    save(options.output, document | provenance())
    for finding in found["findings"]:
        print("!" if finding["fault"] else "-", finding["text"], finding["remedy"])


if __name__ == "__main__":
    main()
