"""Splits of nets that are alike in latency."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def enough_folds(count: int, folds: int, *, least: int) -> int:
    """The smallest number of folds, ``folds`` at least, that leaves ``least`` of ``count`` nets outside of each.

    ``count`` is greater than ``least``: with one net in each fold it is enough.
    """
    return next(number for number in range(folds, max(folds, count) + 1) if count - -(-count // number) >= least)


def stratified_folds(latencies: Sequence[float], folds: int, *, seed: int) -> NDArray[np.int64]:
    """Fold of each net: every run of ``folds`` neighbours in latency is dealt out at random, one to each fold."""
    generator = np.random.default_rng(seed)
    order = np.argsort(np.asarray(latencies), kind="stable")
    result = np.empty(len(order), np.int64)
    for start in range(0, len(order), folds):
        members = order[start : start + folds]
        result[members] = generator.permutation(folds)[: len(members)]
    return result
