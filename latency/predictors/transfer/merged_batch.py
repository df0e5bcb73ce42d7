"""Padded batches of merged nets, as a network reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latency.predictors.encoding.liveness import LIVENESS
from latency.predictors.encoding.relations import RELATIONS
from latency.predictors.transfer.merged_operators import SIZES, MergedNet

Array = NDArray[np.float32]
TOTALS = 2
"""Groups of ``MergedBatch.totals``."""
_ARRAYS = ("mean", "scale", "totals_mean", "totals_scale")
_CONSTANT = 1e30
"""Scale of features that never vary, which makes them zero."""


@dataclass(frozen=True)
class MergedBatch:
    """Nets of fewer classes than the largest are padded at the end."""

    features: Array
    """nets x classes x ``MergedVocabulary.width``"""
    relations: Array
    """nets x classes x classes x ``RELATIONS``: shares, zero where padded."""
    present: NDArray[np.bool_]
    """nets x classes"""
    totals: Array
    """nets x ``TOTALS`` x (keys x ``SIZES``): standardised, over the root of their number; all operators, and those
    that an output depends on."""

    def __len__(self) -> int:
        return len(self.present)

    def __getitem__(self, nets: NDArray[np.int64]) -> MergedBatch:
        """Some of the nets, without padding that none of them needs."""
        size = int(self.present[nets].sum(axis=1).max())
        return MergedBatch(
            self.features[nets, :size],
            self.relations[nets, :size, :size],
            self.present[nets, :size],
            self.totals[nets],
        )


@dataclass(frozen=True)
class MergedVocabulary:
    """The keys and the sizes that occurred in a set of nets; frozen."""

    keys: tuple[str, ...]
    mean: NDArray[np.float64]
    """``SIZES``: of their logarithms."""
    scale: NDArray[np.float64]
    totals_mean: NDArray[np.float64]
    """``TOTALS`` x (keys x ``SIZES``)"""
    totals_scale: NDArray[np.float64]

    @staticmethod
    def learn(nets: Sequence[MergedNet]) -> MergedVocabulary:
        """From the nets of the source devices."""
        logs = np.log1p(np.concatenate([net.sizes for net in nets]))
        keys = tuple(sorted({key for net in nets for key in net.keys}))
        totals = np.array([_totals(net, {key: place for place, key in enumerate(keys)}) for net in nets])
        deviation = totals.std(axis=0)
        return MergedVocabulary(
            keys,
            logs.mean(axis=0),
            np.maximum(logs.std(axis=0), 0.1),
            totals.mean(axis=0),
            np.where(deviation > 1e-9 * (1 + totals.mean(axis=0)), deviation, _CONSTANT),
        )

    @property
    def width(self) -> int:
        """Features of a class: its key, sizes, liveness and depth."""
        return len(self.keys) + SIZES + LIVENESS + 1

    @property
    def totals(self) -> int:
        """Features of a net in each of the ``TOTALS`` groups."""
        return len(self.keys) * SIZES

    @cached_property
    def _place(self) -> dict[str, int]:
        return {key: place for place, key in enumerate(self.keys)}

    def encode(self, nets: Sequence[MergedNet]) -> MergedBatch:
        """At least one net; unknown keys are left out."""
        size = max(len(net.keys) for net in nets)
        features = np.zeros((len(nets), size, self.width), np.float32)
        relations = np.zeros((len(nets), size, size, RELATIONS), np.float32)
        present = np.zeros((len(nets), size), np.bool_)
        totals = (np.array([_totals(net, self._place) for net in nets]) - self.totals_mean) / self.totals_scale
        varying = max(1, int((self.totals_scale[0] < _CONSTANT).sum()))
        for at, net in enumerate(nets):
            count = len(net.keys)
            present[at, :count] = True
            relations[at, :count, :count] = net.relations
            features[at, :count] = self._features(net)
        return MergedBatch(features, relations, present, (totals / varying**0.5).astype(np.float32))

    def _features(self, net: MergedNet) -> NDArray[np.float64]:
        known = np.zeros((len(net.keys), len(self.keys)))
        for row, key in enumerate(net.keys):
            if key in self._place:
                known[row, self._place[key]] = 1.0
        sizes = (np.log1p(net.sizes) - self.mean) / self.scale
        return np.hstack([known, np.clip(sizes, -3, 3), net.liveness, net.depth[:, None]])

    def to_json(self) -> dict[str, Any]:
        """Plain JSON object."""
        return {"keys": list(self.keys), **{name: getattr(self, name).tolist() for name in _ARRAYS}}

    @staticmethod
    def from_json(document: dict[str, Any]) -> MergedVocabulary:
        """Reads ``to_json``.

        Raises:
            KeyError, TypeError, ValueError: not such a document.
        """
        arrays = {name: np.array(document[name], np.float64) for name in _ARRAYS}
        vocabulary = MergedVocabulary(tuple(map(str, document["keys"])), **arrays)
        totals = (TOTALS, vocabulary.totals)
        if [array.shape for array in arrays.values()] != [(SIZES,), (SIZES,), totals, totals]:
            raise ValueError("merged nets of another layout")
        return vocabulary


def _totals(net: MergedNet, place: Mapping[str, int]) -> NDArray[np.float64]:
    """Sums of sizes by key; unknown keys are left out."""
    result = np.zeros((TOTALS, len(place), SIZES))
    for key, sizes, (_, for_output) in zip(net.keys, net.sizes, net.liveness.tolist(), strict=True):
        if key in place:
            result[0, place[key]] += sizes
            result[1, place[key]] += for_output * sizes
    return result.reshape(TOTALS, -1)
