"""Operators as numbers: categories, scales and size ranges, learned from the operators that were measured.

The vocabulary also keeps which categories and sizes were measured within whole nets. The others were only measured in
isolation, in small models, which do not show all that a whole net does to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latency.predictors.encoding.features import NUMERIC_NAMES, OLDEST_NUMERIC, SIZED, Features
from latency.predictors.encoding.operator_table import OperatorTable
from latency.sample import LatencySample

_CLIP = 3.0
"""Standardised sizes are cut here before they enter a network, which must not extrapolate; its base does that."""
_MARGIN = log(1.5)
"""An operator up to this factor beyond the measured sizes of its family still counts as seen."""
_NEVER = 1e6
"""Beyond the logarithm of any size: the smallest size of a family that never occurred; with a minus, the largest."""
_ARRAYS = ("mean", "scale", "low", "high", "net_low", "net_high")


@dataclass(frozen=True)
class EncodedOperators:
    """Many operators, encoded by one ``Vocabulary``."""

    categories: NDArray[np.float32]
    """operators x categories: 1 where the operator has it; unknown ones are left out."""
    sizes: NDArray[np.float64]
    """operators x sizes: standardised."""
    family: NDArray[np.int64]
    """operators: index of the family, -1 where none was measured."""
    unseen: NDArray[np.bool_]
    """operators: kind, a property or a size lies outside what was measured."""
    isolated: NDArray[np.bool_]
    """operators: not unseen, but kind, a property or a size lies outside what was measured within whole nets."""

    @property
    def network_input(self) -> NDArray[np.float32]:
        """operators x (categories + sizes)"""
        return np.hstack([self.categories, np.clip(self.sizes, -_CLIP, _CLIP).astype(np.float32)])


@dataclass(frozen=True)
class Vocabulary:
    """Learned once from the training operators, then frozen."""

    families: tuple[str, ...]
    categories: tuple[str, ...]
    mean: NDArray[np.float64]
    """Of each size; a predictor fitted before the last sizes were added has fewer."""
    scale: NDArray[np.float64]
    low: NDArray[np.float64]
    """families x sized features: smallest value measured."""
    high: NDArray[np.float64]
    net_categories: frozenset[str]
    """Those of ``categories`` that occurred within whole nets."""
    net_low: NDArray[np.float64]
    """The same as ``low`` and ``high``, of operators within whole nets only."""
    net_high: NDArray[np.float64]

    @staticmethod
    def of(samples: Sequence[LatencySample], table: OperatorTable) -> Vocabulary:
        """From measured samples; their operators are added to the table, which holds no others."""
        in_nets: set[int] = set()
        for sample in samples:
            rows = table.rows(sample.graph)
            in_nets.update(() if sample.single_operator else rows)
        return Vocabulary.learn(table.features, [row in in_nets for row in range(len(table.features))])

    @staticmethod
    def learn(operators: Sequence[Features], in_nets: Sequence[bool]) -> Vocabulary:
        """From the features of every different operator measured, at least one, and whether a whole net had it."""
        families = tuple(sorted({operator.family for operator in operators}))
        categories = tuple(sorted({category for operator in operators for category in operator.categories}))
        numeric = np.array([operator.numeric for operator in operators])
        member = np.array([families.index(operator.family) for operator in operators])
        netted = [operator for operator, within in zip(operators, in_nets, strict=True) if within]
        low, high = _ranges(numeric, member, len(families))
        net_low, net_high = _ranges(numeric[np.array(in_nets)], member[np.array(in_nets)], len(families))
        return Vocabulary(
            families,
            categories,
            numeric.mean(axis=0),
            np.maximum(numeric.std(axis=0), 1e-3),
            low,
            high,
            frozenset(category for operator in netted for category in operator.categories),
            net_low,
            net_high,
        )

    @property
    def width(self) -> int:
        """Length of an operator as the network reads it."""
        return len(self.categories) + len(self.mean)

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
        isolated = np.zeros(len(operators), np.bool_)
        for row, operator in enumerate(operators):
            for category in operator.categories:
                place = self._place.get(category)
                if place is None:
                    unseen[row] = True
                else:
                    categories[row, place] = 1.0
                isolated[row] |= category not in self.net_categories
        numeric = np.array([operator.numeric[: len(self.mean)] for operator in operators])
        sized = numeric[:, SIZED]
        unseen |= _beyond(sized, self.low[family], self.high[family])
        isolated |= _beyond(sized, self.net_low[family], self.net_high[family])
        return EncodedOperators(categories, (numeric - self.mean) / self.scale, family, unseen, isolated & ~unseen)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON object."""
        arrays = {name: getattr(self, name).tolist() for name in _ARRAYS}
        names = {"families": list(self.families), "categories": list(self.categories)}
        return {**names, "net_categories": sorted(self.net_categories), **arrays}

    @staticmethod
    def from_json(document: dict[str, Any]) -> Vocabulary:
        """Reads what ``to_json`` wrote.

        Raises:
            KeyError, TypeError, ValueError: not such a document.
        """
        arrays = {name: np.array(document[name], dtype=np.float64) for name in _ARRAYS}
        families, categories = (tuple(map(str, document[name])) for name in ("families", "categories"))
        sizes = (len(families), len(SIZED))
        numeric = len(arrays["mean"])
        known = OLDEST_NUMERIC <= numeric <= len(NUMERIC_NAMES)
        if (
            not known
            or any(arrays[name].shape != (numeric,) for name in _ARRAYS[:2])
            or any(arrays[name].shape != sizes for name in _ARRAYS[2:])
        ):
            raise ValueError("vocabulary of another layout")
        return Vocabulary(families, categories, net_categories=frozenset(document["net_categories"]), **arrays)


def _ranges(
    numeric: NDArray[np.float64], member: NDArray[np.int64], families: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smallest and largest size by family (families x sized); of a family without operators none lies between."""
    low, high = np.full((families, len(SIZED)), _NEVER), np.full((families, len(SIZED)), -_NEVER)
    np.minimum.at(low, member, numeric[:, SIZED])
    np.maximum.at(high, member, numeric[:, SIZED])
    return low, high


def _beyond(sized: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a size lies beyond those measured of the family; meaningless where the family is unknown."""
    return np.asarray(((sized < low - _MARGIN) | (sized > high + _MARGIN)).any(axis=1), dtype=np.bool_)
