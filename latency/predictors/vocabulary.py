"""What a predictor has seen measured: categories, scales and size ranges, learned from its training samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latency.predictors.encoding import EncodedOperators
from latency.predictors.features import NUMERIC_NAMES, SIZED, Features

_SLACK = log(1.5)
"""An operator up to this factor beyond the measured sizes of its family still counts as seen."""


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
        """Length of an operator as the network reads it."""
        return len(self.categories) + len(NUMERIC_NAMES)

    @cached_property
    def _place(self) -> dict[str, int]:
        return {category: place for place, category in enumerate(self.categories)}

    @cached_property
    def _family(self) -> dict[str, int]:
        return {family: place for place, family in enumerate(self.families)}

    def encode(self, operators: Sequence[Features]) -> EncodedOperators:
        """Encodes any number of operators, at least one."""
        categories = np.zeros((len(operators), len(self.categories)), np.float32)
        family = np.array([self._family.get(operator.family, -1) for operator in operators], np.int64)
        unseen = family < 0
        for row, operator in enumerate(operators):
            for category in operator.categories:
                place = self._place.get(category)
                if place is None:
                    unseen[row] = True
                else:
                    categories[row, place] = 1.0
        numeric = np.stack([operator.numeric for operator in operators])
        return EncodedOperators(
            categories, (numeric - self.mean) / self.scale, family, unseen | self._beyond(numeric, family)
        )

    def _beyond(self, numeric: NDArray[np.float64], family: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether a size lies beyond those measured of the family; meaningless where the family is unknown."""
        sized = numeric[:, SIZED]
        outside = (sized < self.low[family] - _SLACK) | (sized > self.high[family] + _SLACK)
        return np.asarray(outside.any(axis=1), dtype=np.bool_)

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
