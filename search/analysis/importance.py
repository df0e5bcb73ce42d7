"""How much of the variance of quality the choice of each slot explains, beyond chance.

Eta squared: variance between the means of the choices over the whole variance (Cohen, "Statistical Power Analysis for
the Behavioral Sciences", 1988, section 8.2). Many choices explain something by chance; how much, is seen when the
qualities are permuted. The corrected share is ``(eta^2 - chance) / (1 - chance)``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from search.analysis.search_log import Choices, Matrix, SearchLog, Vector

PERMUTATIONS = 200
_LEAST_ROOM = 1e-9
"""A slot of which chance leaves less to explain, since hardly two trials share a choice, explains nothing."""
_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class SlotImportance:
    """One slot; all shares are of the variance of quality, each slot by itself."""

    slot: str
    choices: int
    """Number of choices that occur."""
    eta_squared: float
    chance: float
    """Mean over permutations."""
    explained: float
    """``eta_squared`` corrected for chance; at least 0."""
    significant: bool
    """Whether ``eta_squared`` exceeds what the best slot of a permutation reaches in 95 % of the permutations."""


def importance_of(log: SearchLog, seed: int = 0) -> tuple[SlotImportance, ...]:
    """The slots with at least two choices, the most important first; none where quality is constant.

    Args:
        log: the trials.
        seed: of the permutations.
    """
    varying = [slot for slot in range(len(log.slots)) if len(np.unique(log.choices[:, slot])) > 1]
    if not varying or np.ptp(log.quality) == 0:
        return ()
    columns = _permuted(log.quality, seed)
    shares = np.array([_eta_squared(log.choices[:, slot], columns) for slot in varying])
    largest = np.quantile(_corrected(shares[:, 1:], shares[:, 1:].mean(axis=1, keepdims=True)).max(axis=0), _CONFIDENCE)
    found = [_slot(log, slot, row, float(largest)) for slot, row in zip(varying, shares, strict=True)]
    return tuple(sorted(found, key=lambda each: -each.explained))


def _slot(log: SearchLog, slot: int, shares: Vector, largest: float) -> SlotImportance:
    chance = float(shares[1:].mean())
    explained = float(_corrected(shares[0], chance))
    return SlotImportance(
        slot=log.slots[slot],
        choices=len(np.unique(log.choices[:, slot])),
        eta_squared=float(shares[0]),
        chance=chance,
        explained=max(explained, 0.0),
        significant=explained > largest,
    )


def _corrected(share: Matrix | float, chance: Matrix | float) -> Matrix:
    room = 1 - np.asarray(chance)
    return np.asarray(np.where(room > _LEAST_ROOM, (share - chance) / np.maximum(room, _LEAST_ROOM), 0.0))


def _permuted(quality: Vector, seed: int) -> Matrix:
    """``n x (1 + PERMUTATIONS)``: the standardised qualities and their permutations."""
    rng = np.random.default_rng(seed)
    standard = (quality - quality.mean()) / quality.std()
    return np.column_stack([standard, *(rng.permutation(standard) for _ in range(PERMUTATIONS))])


def _eta_squared(choices: Choices, columns: Matrix) -> Vector:
    """Of each column of standardised qualities."""
    _, codes, counts = np.unique(choices, return_inverse=True, return_counts=True)
    first = np.cumsum(counts) - counts
    sums = np.add.reduceat(columns[np.argsort(codes, kind="stable")], first, axis=0)
    return np.asarray((sums**2 / counts[:, None]).sum(axis=0) / len(choices))
