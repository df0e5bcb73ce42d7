"""What a predictor has seen measured: categories, scales and size ranges, learned from its training samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latency.predictors.features import NUMERIC_NAMES, SIZED, Features

_SLACK = log(1.3)
"""An operator up to this factor beyond the measured sizes of its family still counts as seen."""
_CLIP = 3.0
"""Standardised sizes are cut here before they enter the network, which must not extrapolate; its base does that."""


@dataclass(frozen=True)
class Vocabulary:
    """Learned once from the training operators, then frozen."""

    families: tuple[str, ...]
    categories: tuple[str, ...]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    low: NDArray[np.float64]
    """families x sized features: smallest value measured."""
    high: NDArray[np.float64]

    @staticmethod
    def learn(operators: Sequence[Features]) -> Vocabulary:
        """From the features of every different operator measured; at least one."""
        families = tuple(sorted({operator.family for operator in operators}))
        categories = tuple(sorted({category for operator in operators for category in operator.categories}))
        numeric = np.stack([operator.numeric for operator in operators])
        member = np.array([families.index(operator.family) for operator in operators])
        sized = numeric[:, SIZED]
        return Vocabulary(
            families,
            categories,
            numeric.mean(axis=0),
            np.maximum(numeric.std(axis=0), 1e-3),
            np.stack([sized[member == family].min(axis=0) for family in range(len(families))]),
            np.stack([sized[member == family].max(axis=0) for family in range(len(families))]),
        )

    @property
    def width(self) -> int:
        """Length of an encoded operator."""
        return len(self.categories) + 1 + len(NUMERIC_NAMES)

    def family(self, operator: Features) -> int:
        """Index of its family, -1 where none was measured."""
        return self.families.index(operator.family) if operator.family in self.families else -1

    def unseen(self, operator: Features) -> bool:
        """Whether its kind, a property or a size lies outside what was measured."""
        if any(category not in self.categories for category in operator.categories):
            return True
        family, sized = self.families.index(operator.family), operator.numeric[list(SIZED)]
        return bool(np.any(sized < self.low[family] - _SLACK) or np.any(sized > self.high[family] + _SLACK))

    def encode(self, operator: Features) -> NDArray[np.float32]:
        """Vector of known categories (several-hot), one flag for an unknown one, standardised sizes."""
        row = np.zeros(self.width, dtype=np.float32)
        for category in operator.categories:
            row[self.categories.index(category) if category in self.categories else len(self.categories)] = 1.0
        row[len(self.categories) + 1 :] = np.clip((operator.numeric - self.mean) / self.scale, -_CLIP, _CLIP)
        return row

    def to_json(self) -> dict[str, Any]:
        """Plain JSON object."""
        arrays = {name: getattr(self, name).tolist() for name in ("mean", "scale", "low", "high")}
        return {"families": list(self.families), "categories": list(self.categories), **arrays}

    @staticmethod
    def from_json(document: dict[str, Any]) -> Vocabulary:
        """Reads what ``to_json`` wrote.

        Raises:
            KeyError, TypeError, ValueError: not such a document.
        """
        arrays = {name: np.array(document[name], dtype=np.float64) for name in ("mean", "scale", "low", "high")}
        families, categories = tuple(document["families"]), tuple(document["categories"])
        sizes = (len(families), len(SIZED))
        if arrays["mean"].shape != (len(NUMERIC_NAMES),) or arrays["low"].shape != sizes:
            raise ValueError("vocabulary of another layout")
        return Vocabulary(families, categories, **arrays)
