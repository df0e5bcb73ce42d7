"""Splits of nets, stratified by latency, and predictions of nets by a predictor that was fitted without them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from latency.predictor import LatencyPredictor
from latency.sample import LatencySample


def enough_folds(count: int, folds: int, *, minimum: int) -> int:
    """The smallest number of folds, at least ``folds``, for which each split trains on at least ``minimum`` nets.

    ``count`` is greater than ``minimum``: with one net in each fold it is enough.
    """
    return next(number for number in range(folds, max(folds, count) + 1) if count - -(-count // number) >= minimum)


def stratified_folds(latencies: Sequence[float], folds: int, *, seed: int) -> NDArray[np.int64]:
    """Fold of each net: of every ``folds`` nets that follow each other in latency, each fold gets one at random."""
    generator = np.random.default_rng(seed)
    order = np.argsort(np.asarray(latencies), kind="stable")
    result = np.empty(len(order), np.int64)
    for start in range(0, len(order), folds):
        members = order[start : start + folds]
        result[members] = generator.permutation(folds)[: len(members)]
    return result


def held_out_ratios(
    make: Callable[[], LatencyPredictor],
    samples: Sequence[LatencySample],
    whole: Sequence[LatencySample],
    fold: NDArray[np.int64],
    *,
    seed: int,
) -> NDArray[np.float64]:
    """Measured / predicted latency of each whole net, predicted by a predictor that was fitted without its fold.

    Args:
        make: makes a predictor to be fitted.
        samples: all of a device; its single-operator models train every predictor.
        whole: the whole nets among them.
        fold: of each net, from 0 on.
        seed: of every fit.
    """
    single = [sample for sample in samples if sample.single_operator]
    result = np.empty(len(whole))
    for number in range(fold.max() + 1):
        predictor = make()
        predictor.fit([*(s for s, its in zip(whole, fold, strict=True) if its != number), *single], seed=seed)
        outside = np.flatnonzero(fold == number).tolist()
        predictions = predictor.predict([whole[position].graph for position in outside])
        for position, prediction in zip(outside, predictions, strict=True):
            result[position] = whole[position].latency_ms / prediction.latency_ms
    return result
