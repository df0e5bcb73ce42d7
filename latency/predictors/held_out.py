"""What a predictor says of nets when it is fitted without them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from latency.predictor import LatencyPredictor
from latency.sample import LatencySample


def held_out_ratios(
    make: Callable[[], LatencyPredictor],
    samples: Sequence[LatencySample],
    whole: Sequence[LatencySample],
    fold: NDArray[np.int64],
    *,
    seed: int,
) -> NDArray[np.float64]:
    """Truth / prediction of each whole net, by a predictor that was fitted without its fold.

    Args:
        make: a predictor to be fitted.
        samples: all of a device; its single operators serve every fold.
        whole: the nets among them.
        fold: of each net, from 0 on.
        seed: of every fit.
    """
    single = [sample for sample in samples if sample.single_operator]
    result = np.empty(len(whole))
    for number in range(fold.max() + 1):
        inside = [sample for sample, its in zip(whole, fold, strict=True) if its != number]
        outside = np.flatnonzero(fold == number).tolist()
        member = make()
        member.fit([*inside, *single], seed=seed)
        predictions = member.predict([whole[position].graph for position in outside])
        result[outside] = [
            whole[position].latency_ms / prediction.latency_ms
            for position, prediction in zip(outside, predictions, strict=True)
        ]
    return result
