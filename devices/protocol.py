"""Settings of the measurement protocol."""

from __future__ import annotations

from dataclasses import dataclass

PROTOCOL_VERSION = 3
"""Increases with every change of the procedure or of the reference net that changes latencies. It is part of a device's
fingerprint, so that latencies of two versions are never mixed. 2: the caches are warm for the reference net, too. 3:
blocks of busy moments do not count."""


@dataclass(frozen=True, slots=True)
class MeasurementProtocol:
    """How a latency is measured; ``devices/worker/timing.py`` is the procedure.

    The defaults take about half a second for a net of 1 to 4 ms.
    """

    block_ms: float = 10.0
    """Minimum duration of a block of back-to-back runs."""
    minimum_blocks: int = 15
    """Least number of counted blocks; fewer only at the timeout or at ``maximum_blocks``."""
    maximum_blocks: int = 61
    half_width_percent: float = 2.0
    """Stop when the bootstrap interval's half-width is under this share of the latency."""
    warm_up_agreement_percent: float = 5.0
    """Warm up until two consecutive blocks agree within this."""
    maximum_warm_up_blocks: int = 20
    quiet_percent: float = 5.0
    """A block counts where the reference net beside it was slower by at most this than in the quickest quarter of the
    blocks."""
    bootstrap_resamples: int = 1000
    profile_runs: int = 15
    """Runs under the runtime's profiler after timing; 0 leaves operator times out."""
    timeout_s: float = 60.0
    """A single step (load, block, profile) that takes longer has hung; timing of a candidate ends at half of it."""
    normalise: bool = True
    """False divides by the nominal reference time instead of the measured one: plain times, for a device on which the
    A/A check says that normalising does not help."""
