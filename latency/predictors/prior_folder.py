"""A prior on disk."""

from __future__ import annotations

from pathlib import Path

from latency.predictors.folder import corrupt, read_folder, write_folder
from latency.predictors.prior import Prior

NAME = "prior"


def save_prior(folder: Path, prior: Prior) -> None:
    """Writes safetensors and JSON, atomically."""
    document, arrays = prior.document()
    write_folder(folder, NAME, document, arrays)


def load_prior(folder: Path) -> Prior:
    """Reads what ``save_prior`` wrote.

    Raises:
        UserError: missing, corrupt, or of another schema.
    """
    document, arrays = read_folder(folder, NAME)
    try:
        return Prior.restored(document, arrays)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise corrupt(folder, f"{type(error).__name__}: {error}") from error


def known_prior(folder: Path) -> Prior | None:
    """That of the folder; None where there is none.

    Raises:
        UserError: it is there and damaged.
    """
    return load_prior(folder) if (folder / f"{NAME}.json").is_file() else None
