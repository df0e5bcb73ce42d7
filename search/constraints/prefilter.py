"""Rules out hopelessly slow architectures from their slots alone: no plan, no graph, no prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.architecture import Architecture
from search.constraints.budgets import Budgets, LatencyBudget
from search.constraints.check import ConstraintCheck

Vector = NDArray[np.float64]
Slots = NDArray[np.int64]

_PENALTY = 10.0
_FOLDS = 5
LEAST_VERDICTS = 100
"""Fewer teach too little."""


@dataclass(frozen=True)
class AdditivePrefilter:
    """The logarithm of each device's bound as a sum over the slots of what each choice adds.

    Learned, by ridge regression, from architectures whose bounds are known. ``slack`` is by how much the sum was too
    high for any of ``n`` when they were held out, so that of a further random one it is too high about once in
    ``n + 1`` times (cross-conformal, ``latency/calibration.py``). Architectures that a search proposes are not random:
    what is ruled out by mistake is a candidate lost, never a promise broken.
    """

    devices: tuple[str, ...]
    sizes: Slots
    """slots: number of choices met; a choice beyond adds nothing."""
    weights: Vector
    """devices x (choices of all slots, one beyond for each)"""
    mean: Vector
    """devices"""
    slack: Vector
    """devices: natural logarithm."""

    @staticmethod
    def learn(verdicts: Sequence[ConstraintCheck]) -> AdditivePrefilter | None:
        """From verdicts that know every latency; None where they are too few."""
        known = [verdict for verdict in verdicts if verdict.upper_ms]
        if len(known) < LEAST_VERDICTS:
            return None
        devices = tuple(known[0].upper_ms)
        slots = _slots([verdict.architecture for verdict in known])
        sizes = slots.max(axis=0) + 1
        rows = _indicators(slots, sizes)
        target = np.log([[verdict.upper_ms[device] for device in devices] for verdict in known])
        over = np.empty_like(target)
        for fold in range(_FOLDS):
            held_out = np.arange(len(rows)) % _FOLDS == fold
            weights, mean = _ridge(rows[~held_out], target[~held_out])
            over[held_out] = rows[held_out] @ weights + mean - target[held_out]
        weights, mean = _ridge(rows, target)
        return AdditivePrefilter(devices, sizes, weights.T, mean, np.maximum(over.max(axis=0), 0.0))

    def least_ms(self, architectures: Sequence[Architecture]) -> Vector:
        """architectures x devices: what the bound will not lie below. Milliseconds."""
        columns = _columns(_slots(architectures), self.sizes)
        logs = np.stack([weights[columns].sum(axis=1) for weights in self.weights], axis=1)
        result: Vector = np.exp(logs + self.mean - self.slack)
        return result

    def ruled_out(self, architectures: Sequence[Architecture], budgets: Budgets) -> list[tuple[str, ...]]:
        """For each architecture the latency constraints that it has no hope to keep."""
        if not architectures:
            return []
        least = self.least_ms(architectures)
        broken = np.array([budget.ratio(1.0) for budget in self._of(budgets)]) * least > 1.0
        names = [budget.constraint for budget in self._of(budgets)]
        return [tuple(name for name, its in zip(names, row, strict=True) if its) for row in broken.tolist()]

    def _of(self, budgets: Budgets) -> list[LatencyBudget]:
        by_name = {budget.device: budget for budget in budgets.latencies}
        return [by_name[device] for device in self.devices]


def _slots(architectures: Sequence[Architecture]) -> Slots:
    """architectures x slots: the choices."""
    return np.array([[choice for _, choice in one.choices] for one in architectures], np.int64)


def _columns(slots: Slots, sizes: Slots) -> Slots:
    """Column of each slot's choice; every slot has one more column for choices not met."""
    begin = np.concatenate([[0], np.cumsum(sizes + 1)[:-1]])
    return begin + np.minimum(slots, sizes)


def _indicators(slots: Slots, sizes: Slots) -> Vector:
    rows = np.zeros((len(slots), int((sizes + 1).sum())))
    np.put_along_axis(rows, _columns(slots, sizes), 1.0, axis=1)
    return rows


def _ridge(rows: Vector, target: Vector) -> tuple[Vector, Vector]:
    """Weights (columns x devices) and mean (devices); what no row has gets the weight zero."""
    mean: Vector = target.mean(axis=0)
    squares = rows.T @ rows + _PENALTY * np.eye(rows.shape[1])
    return np.asarray(np.linalg.solve(squares, rows.T @ (target - mean)), np.float64), mean
