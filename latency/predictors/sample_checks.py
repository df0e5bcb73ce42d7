"""What must hold of the samples that a predictor is fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from foundation.errors import UserError
from latency.sample import LatencySample

LEAST_NETS = 5
"""Fewer whole nets say nothing about a space."""


def whole_nets(samples: Sequence[LatencySample], *, least: int = LEAST_NETS) -> list[LatencySample]:
    """The samples that are whole nets.

    Raises:
        UserError: fewer than ``least``, or a sample without operators or with an impossible latency.
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
    if len(whole) < least:
        raise UserError(
            "measured nets",
            seen=len(whole),
            expected=f"at least {least}",
            remedy=f"run `latseg profile --models {max(least, 60)}`",
        )
    return whole
