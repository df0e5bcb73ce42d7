"""Synthetic devices for pre-training: mixtures of measured devices, and random laws of latency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latency.predictors.transfer.merged_operators import SIZES, MergedNet

Matrix = NDArray[np.float64]

_PARTS = (1, 1, 2, 3)
"""Number of parts of which a device is the convex mixture."""
_MEASURED = 0.4
"""Share of the parts that are measured devices; the others follow random laws."""
_COST_SIGMA = 1.2
"""Standard deviation of the logarithm of the cost of a key."""
_SURROUNDINGS_SIGMA = (0.0, 0.0, 0.1)
_CHARGED = ("all", "all", "for_output", "for_output", "both")
"""Which operators cost time: some runtimes skip those that no output depends on."""
_OVERHEAD = 0.3
"""Mean of the overhead, over the nets' mean."""


@dataclass(frozen=True)
class DeviceSource:
    """Draws devices; all arrays have the same nets in the same order."""

    measured: Matrix
    """devices x nets, milliseconds"""
    key: NDArray[np.int64]
    """nets x classes: number of the key; 0 where padded."""
    surroundings: NDArray[np.int64]
    sizes: Matrix
    """nets x classes x ``SIZES``, each over its mean; 0 where padded."""
    live: Matrix
    """nets x classes x (on input, for output)"""

    @staticmethod
    def of(nets: Sequence[MergedNet], measured: Matrix) -> DeviceSource:
        """From the nets and their latencies on the source devices."""
        shape = (len(nets), max(len(net.keys) for net in nets))
        key, surroundings = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        sizes, live = np.zeros((*shape, SIZES)), np.zeros((*shape, 2))
        keys: dict[str, int] = {}
        around: dict[str, int] = {}
        for at, net in enumerate(nets):
            count = len(net.keys)
            key[at, :count] = [keys.setdefault(each, len(keys)) for each in net.keys]
            surroundings[at, :count] = [around.setdefault(each, len(around)) for each in net.surroundings]
            sizes[at, :count], live[at, :count] = net.sizes, net.liveness
        return DeviceSource(measured, key, surroundings, sizes / np.maximum(sizes.mean(axis=(0, 1)), 1e-9), live)

    def draw(self, nets: NDArray[np.int64], random: np.random.Generator) -> Matrix:
        """nets: latencies of a new device, in an arbitrary unit."""
        parts = [self._part(nets, random) for _ in range(random.choice(_PARTS))]
        shares = random.dirichlet(np.ones(len(parts)))
        result: Matrix = shares @ np.stack([part / part.mean() for part in parts])
        return result

    def _part(self, nets: NDArray[np.int64], random: np.random.Generator) -> Matrix:
        if random.random() < _MEASURED:
            result: Matrix = self.measured[random.integers(len(self.measured)), nets]
            return result
        return self._law(nets, random)

    def _law(self, nets: NDArray[np.int64], random: np.random.Generator) -> Matrix:
        cost = np.exp(_COST_SIGMA * random.standard_normal(self.key.max() + 1))[self.key[nets]]
        sigma = random.choice(_SURROUNDINGS_SIGMA)
        cost *= np.exp(sigma * random.standard_normal(self.surroundings.max() + 1))[self.surroundings[nets]]
        cost *= self.sizes[nets] @ random.dirichlet(np.ones(SIZES))
        charged = random.choice(_CHARGED)
        if charged != "all":
            cost *= self.live[nets, :, 1] if charged == "for_output" else self.live[nets].prod(axis=2)
        total: Matrix = cost.sum(axis=1)
        total += random.exponential(_OVERHEAD) * total.mean()
        return total
