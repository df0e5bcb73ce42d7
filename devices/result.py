"""From the times of a candidate to its measurement."""

from __future__ import annotations

import logging
from dataclasses import asdict

import numpy as np

from devices.counted_blocks import plain_ms
from devices.device_info import DeviceInfo
from devices.measurement import Measurement
from devices.operator_join import scale_rows
from devices.prepared import PreparedCandidate
from devices.protocol import MeasurementProtocol
from devices.reference_net import reference_net_sha256
from devices.worker.runtime import OperatorProfile
from devices.worker.timing import Timing

_logger = logging.getLogger(__name__)


def measurement_of(
    candidate: PreparedCandidate,
    timing: Timing,
    profile: OperatorProfile,
    *,
    device: DeviceInfo,
    nominal_reference_ms: float,
    protocol: MeasurementProtocol,
    started_at: str,
) -> Measurement:
    """Composes a measurement; minimum and percentiles are over the wall-clock means of the blocks."""
    unit_ms = nominal_reference_ms if protocol.normalise else 1.0
    latency_ms = timing.ratio * unit_ms
    low, high = timing.ratio_interval
    raw = [block.wall_ms for block in timing.blocks]
    on_core_ms = plain_ms(timing.blocks, protocol.quiet_percent)
    median, p90, p99 = (float(value) for value in np.percentile(raw, [50, 90, 99]))
    measurement = Measurement(
        label=candidate.label,
        model_sha256=candidate.sha256,
        device=device,
        latency_ms=latency_ms,
        interval_ms=(low * unit_ms, high * unit_ms),
        raw_median_ms=median,
        minimum_ms=min(raw),
        p90_ms=p90,
        p99_ms=p99,
        first_run_ms=timing.first_run_ms,
        load_ms=timing.load_ms,
        nominal_reference_ms=nominal_reference_ms,
        converged=timing.converged,
        cpu_per_wall=timing.cpu_per_wall,
        blocks=timing.blocks,
        operators=scale_rows(profile.operators, latency_ms, latency_ms / on_core_ms),
        profiler=profile.source,
        started_at=started_at,
        input_shapes=candidate.input_shapes,
        peak_memory_bytes=profile.peak_memory_bytes,
        protocol={**asdict(protocol), "reference_sha256": reference_net_sha256()},
    )
    _logger.info(
        "measured %s on %s: %.4g ms (%.4g to %.4g), %d blocks, %s",
        candidate.label,
        device.name,
        latency_ms,
        *measurement.interval_ms,
        len(raw),
        "converged" if timing.converged else "not converged",
    )
    return measurement
