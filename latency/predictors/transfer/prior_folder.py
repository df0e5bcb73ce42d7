"""A prior on disk, of a workspace or of the package."""

from __future__ import annotations

import logging
from pathlib import Path

from devices.device_info import DeviceInfo
from foundation.errors import UserError
from latency.predictors.folder import read_folder, write_folder
from latency.predictors.stored import DAMAGE
from latency.predictors.transfer.prior import Prior

_logger = logging.getLogger(__name__)
NAME = "prior"
_REMEDY = "learn it anew (`latseg pretrain`) or delete it"
SHIPPED = Path(__file__).parents[2] / "shipped_prior"
"""The prior that comes with the package, learned from the project's own measurements."""


def save_prior(folder: Path, prior: Prior) -> None:
    """Writes safetensors and JSON, atomically."""
    document, arrays = prior.document()
    write_folder(folder, NAME, document, arrays)


def load_prior(folder: Path) -> Prior:
    """Reads what ``save_prior`` wrote.

    Raises:
        UserError: missing, corrupt, or of another schema.
    """
    try:
        document, arrays = read_folder(folder, NAME)
    except UserError as error:
        raise UserError("prior", seen=error.seen, expected=error.expected, remedy=_REMEDY) from error
    try:
        return Prior.restored(document, arrays)
    except DAMAGE as error:
        seen = f"{type(error).__name__}: {error} in {folder}"
        raise UserError("prior", seen=seen, expected="an undamaged prior", remedy=_REMEDY) from error


def known_prior(folder: Path) -> Prior | None:
    """The prior of the folder, or else that of the package; None where there is neither.

    Raises:
        UserError: it is there and damaged.
    """
    found = next((each for each in (folder, SHIPPED) if (each / f"{NAME}.json").is_file()), None)
    if found is None:
        return None
    _logger.info("%s prior: %s", "shipped" if found == SHIPPED else "own", found)
    return load_prior(found)


def prior_for(folder: Path, device: DeviceInfo) -> Prior | None:
    """``known_prior`` without the device itself.

    Raises:
        UserError: it is there and damaged.
    """
    found = known_prior(folder)
    return found.without(device.fingerprint) if found else None
