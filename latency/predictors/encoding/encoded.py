"""Operators as numbers: what the regression and the network read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CLIP = 3.0
"""Standardised sizes are cut here before they enter the network, which must not extrapolate; its base does that."""


@dataclass(frozen=True)
class EncodedOperators:
    """Many operators, encoded by one ``Vocabulary``."""

    categories: NDArray[np.float32]
    """operators x categories: 1 where the operator has it; unknown ones leave no trace."""
    sizes: NDArray[np.float64]
    """operators x sizes: standardised."""
    family: NDArray[np.int64]
    """operators: index of the family, -1 where none was measured."""
    unseen: NDArray[np.bool_]
    """operators: kind, a property or a size lies outside what was measured."""
    alone: NDArray[np.bool_]
    """operators: not unseen, but kind, a property or a size lies outside what was measured within whole nets."""

    @property
    def network_input(self) -> NDArray[np.float32]:
        """operators x (categories + sizes)"""
        return np.hstack([self.categories, np.clip(self.sizes, -_CLIP, _CLIP).astype(np.float32)])
