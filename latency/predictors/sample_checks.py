"""Checks of the samples that a predictor is fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from foundation.errors import UserError
from latency.sample import LatencySample

MIN_NETS = 5
"""Fewest whole nets that a predictor can be fitted on."""


def whole_nets(samples: Sequence[LatencySample], *, minimum: int = MIN_NETS) -> list[LatencySample]:
    """The samples that are whole nets.

    Raises:
        UserError: fewer than ``minimum``, or a sample without operators or with an impossible latency.
    """
    for sample in samples:
        if not sample.graph.operators or not isfinite(sample.latency_ms) or sample.latency_ms <= 0:
            raise UserError(
                "latency sample",
                seen=f"{sample.label} with {len(sample.graph.operators)} operators and {sample.latency_ms} ms",
                expected="operators and a positive latency",
                remedy="measure it again",
            )
    whole = [sample for sample in samples if not sample.single_operator]
    if len(whole) < minimum:
        raise UserError(
            "measured nets",
            seen=len(whole),
            expected=f"at least {minimum}",
            remedy=f"run `latseg profile --models {max(minimum, 60)}`",
        )
    return whole
