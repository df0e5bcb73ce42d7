"""A model loaded to be used, not timed; lives in the worker process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]
InputShapes = tuple[tuple[str, tuple[int | None, ...]], ...]
"""Name and dimensions by input, in the model's order; None where a dimension takes any size."""


class LoadedModel(ABC):
    """Takes arrays of any size that its inputs allow."""

    inputs: InputShapes

    @abstractmethod
    def infer(self, feeds: Mapping[str, Array]) -> list[Array]:
        """One inference; outputs in the model's order.

        Raises:
            SessionError: the runtime fails.
        """
