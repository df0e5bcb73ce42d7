"""A supernet of ``portrait`` starts from weights that ship with the package. Importing this module loads torch."""

from __future__ import annotations

import logging

from segmentation.pretrained.weights import SUPERNET, shipped
from segmentation.supernet.narrower import take_narrower
from segmentation.supernet.supernet import Supernet

_CLASSES = 2
_logger = logging.getLogger(__name__)


def start_supernet(supernet: Supernet) -> int:
    """Copies the shipped weights, which are those of nets of at most 0.4 M parameters; returns how many tensors.

    Raises:
        UserError: the files are missing or changed.
    """
    taken = take_narrower(supernet, shipped(SUPERNET), classes=_CLASSES)
    _logger.info("%d of %d tensors of the supernet start from shipped weights", taken, len(supernet.state_dict()))
    return taken
