"""The settings of the measurement protocol."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a latency is taken; see ``devices/timing.py`` for the procedure."""

    block_ms: float = 10.0
    """Least duration of a block of back-to-back runs."""
    minimum_blocks: int = 11
    maximum_blocks: int = 61
    half_width_percent: float = 2.0
    """Stop when the bootstrap interval's half-width is under this share of the latency."""
    warm_up_agreement_percent: float = 5.0
    """Warm up until two consecutive blocks agree within this."""
    maximum_warm_up_blocks: int = 20
    bootstrap_resamples: int = 1000
    profile_runs: int = 15
    """Runs under the runtime's profiler after timing; 0 takes no operator times."""
    timeout_s: float = 60.0
    """A candidate that takes longer than this altogether has hung."""
