"""A data source is checked, with a picture of a few of its pairs."""

from __future__ import annotations

from pathlib import Path

from foundation.atomic_file import write_file
from foundation.errors import UserError
from foundation.progress import OnProgress
from search.options import DataOptions
from segmentation.data.check import DataCheck, check_data
from segmentation.data.contact_sheet import contact_sheet
from segmentation.data.source import DataOptions as OpeningOptions


def check_source(options: DataOptions, sheet: Path | None, seed: int, on_progress: OnProgress) -> DataCheck:
    """Checks a source; writes the picture where every pair can be read.

    Raises:
        UserError: the picture cannot be written.
    """
    how = options.model_dump(exclude={"source"})
    found = check_data(options.source, OpeningOptions(seed=seed, **how), on_progress=on_progress)
    if sheet is None or found.source is None or not found.readable:
        return found
    try:
        write_file(sheet, contact_sheet(found.source))
    except OSError as error:
        raise UserError(
            "--sheet", seen=f"{sheet} ({error.strerror or error})", expected="a file that can be written",
            remedy="name another file",
        ) from error  # fmt: skip
    return found
