"""What in a certificate does not follow from its own raw samples."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime
from statistics import median

import numpy as np

from devices.counted_blocks import counted_blocks
from devices.measurement import Block
from devices.protocol import PROTOCOL_VERSION, MeasurementProtocol
from devices.reference_net import reference_net_sha256
from devices.statistics import half_width_percent
from export.bundle.certificate import CPU_PER_WALL_LIMIT, REFERENCE_KEY, Certificate, statement

REFERENCE_RATIO = 2.0
"""A certificate's nominal reference time and the middle of its raw reference times differ by less than this factor.
Both are times of one net on one machine; on a shared machine whose speed varied they differed by a factor of 1.64."""
_RESAMPLES = 4000
_TAIL_PERCENT = (0.4, 4.7)
"""Where the 2.5th percentile of 1000 resamples lies, plus and minus four standard errors (0.5 % each)."""
_BLOCKS_AT_TIMEOUT = 3
_RUN_SHARE = 2 / 3
"""An untimed run while warming up may have been faster than every block; by less than a third."""


def contradictions(certificate: Certificate) -> list[str]:
    """What in a certificate does not follow from its own raw samples; empty for one that ``certify`` made.

    The interval is a bootstrap one, so it is compared with the range in which another bootstrap of the same samples
    puts its ends. A certificate whose protocol names the reference net was measured by the project's own procedure;
    its protocol and statistics of raw times are compared, too.
    """
    found = [*_latency_faults(certificate), *_interval_faults(certificate), *_rule_faults(certificate)]
    if certificate.own_procedure:
        found += [*_protocol_faults(certificate), *_raw_time_faults(certificate), *_block_faults(certificate)]
    if certificate.statement != _statement(certificate):
        found.append("the statement says something else than the numbers")
    return found


def _counted(certificate: Certificate) -> list[Block]:
    """All, where the protocol has no such setting: before version 3, and of other procedures."""
    quiet_percent = _setting(certificate, "quiet_percent")
    return counted_blocks(certificate.blocks, math.inf if math.isnan(quiet_percent) else quiet_percent)


def _ratios(certificate: Certificate) -> list[float]:
    nominal_ms = certificate.nominal_reference_ms
    normalised = certificate.normalised
    return [block.candidate_ms / (block.reference_ms if normalised else nominal_ms) for block in _counted(certificate)]


def _latency_faults(certificate: Certificate) -> Iterator[str]:
    latency_ms = median(_ratios(certificate)) * certificate.nominal_reference_ms
    if not _equal(latency_ms, certificate.latency_ms):
        yield f"raw samples give {latency_ms:.4f} ms, the certificate says {certificate.latency_ms:.4f} ms"
    middle_ms = median(block.reference_ms for block in certificate.blocks)
    nominal_ms = certificate.nominal_reference_ms
    if max(middle_ms / nominal_ms, nominal_ms / middle_ms) > REFERENCE_RATIO:
        yield f"the reference net took {middle_ms:.4f} ms, the certificate says {nominal_ms:.4f} ms"


def _interval_faults(certificate: Certificate) -> Iterator[str]:
    low, high = (end / certificate.nominal_reference_ms for end in certificate.interval_ms)
    ratios = np.asarray(_ratios(certificate))
    if certificate.own_procedure:
        random = np.random.default_rng(0)
        medians = np.median(ratios[random.integers(0, ratios.size, (_RESAMPLES, ratios.size))], axis=1)
        first, last = _TAIL_PERCENT
        lowest, low_limit, high_limit, highest = np.percentile(medians, [first, last, 100 - last, 100 - first])
    else:
        lowest, highest = ratios.min(), ratios.max()
        low_limit = high_limit = np.median(ratios)
    if not (_at_most(lowest, low) and _at_most(low, low_limit)):
        yield f"the interval's lower end, {certificate.interval_ms[0]:.4f} ms, does not follow from the raw samples"
    if not (_at_most(high_limit, high) and _at_most(high, highest)):
        yield f"the interval's upper end, {certificate.interval_ms[1]:.4f} ms, does not follow from the raw samples"


def _rule_faults(certificate: Certificate) -> Iterator[str]:
    """What ``certify`` would have refused."""
    highest = max(certificate.interval_ms[1], certificate.latency_ms)
    if not _equal(highest * (1 + certificate.noise_floor_percent / 100), certificate.upper_ms):
        yield "the upper value is not the interval's end with the noise floor"
    if certificate.upper_ms > certificate.budget_ms:
        yield f"{certificate.upper_ms:.4f} ms is above the budget of {certificate.budget_ms:g} ms"
    if certificate.device.simulated:
        yield "a simulated device certifies nothing"
    share, most = certificate.cpu_per_wall, CPU_PER_WALL_LIMIT * certificate.device.threads
    if not 0 <= share <= most:
        yield f"processor time was {share:.2f} times the wall time, the threads can use 0 to {most:.2f}"
    if certificate.started_at and not _is_time(certificate.started_at):
        yield f"{certificate.started_at!r} is not a time"


def _protocol_faults(certificate: Certificate) -> Iterator[str]:
    """Against which net it was measured. Values that are not the default stand in ``README.md``, too."""
    known = certificate.device.protocol_version == PROTOCOL_VERSION
    if known and certificate.protocol.get(REFERENCE_KEY) != reference_net_sha256():
        yield "it was measured against another reference net"
    missing = {field.name for field in fields(MeasurementProtocol)} - certificate.protocol.keys()
    if known and missing:
        yield f"its protocol has no {', '.join(sorted(missing))}"


def _raw_time_faults(certificate: Certificate) -> Iterator[str]:
    raw = [block.wall_ms for block in certificate.blocks]
    expected = np.percentile(raw, [50, 90])
    names = ("raw_median_ms", "p90_ms")
    for name, value, seen in zip(names, expected, (certificate.raw_median_ms, certificate.p90_ms), strict=True):
        if not _equal(float(value), seen):
            yield f"{name} is {seen:.4f}, the raw samples give {value:.4f}"
    if not 0 < certificate.first_run_ms < math.inf:
        yield f"first_run_ms is {certificate.first_run_ms}"
    width = half_width_percent(certificate.latency_ms, certificate.interval_ms)
    if certificate.converged != (width < _setting(certificate, "half_width_percent")):
        yield f"converged is {certificate.converged} with an interval of plus and minus {width:.2f} %"


def _block_faults(certificate: Certificate) -> Iterator[str]:
    """As ``devices/worker/timing.py`` chooses the number of blocks and of runs: more runs as it finds faster ones."""
    blocks = certificate.blocks
    block_ms, minimum, maximum, timeout_s = (
        _setting(certificate, name) for name in ("block_ms", "minimum_blocks", "maximum_blocks", "timeout_s")
    )
    spent_ms = sum(block.runs * block.wall_ms for block in blocks)
    timed_out = spent_ms > timeout_s * 1000 / 8  # half, of which warming up may take another half
    least = min(minimum, _BLOCKS_AT_TIMEOUT) if timed_out else minimum
    if not least <= len(blocks) <= max(maximum, least):
        yield f"{len(blocks)} raw samples, not {least:g} to {maximum:g}"
    counted = len(_counted(certificate))
    if counted < least and not timed_out and len(blocks) < maximum:
        yield f"{counted} raw samples count, not at least {least:g}"
    fastest_ms = min(block.candidate_ms for block in blocks)
    runs = [block.runs for block in blocks]
    if runs != sorted(runs) or (runs[-1] - 1) * fastest_ms * _RUN_SHARE >= block_ms:
        yield "the numbers of runs do not follow from the raw samples"
    if any(block.waited_ms < 0 for block in blocks):
        yield "a waiting time is negative"


def _setting(certificate: Certificate, name: str) -> float:
    """NaN, which no comparison holds for, where the protocol has no such number."""
    value = certificate.protocol.get(name)
    return float(value) if isinstance(value, int | float) else math.nan


def _statement(certificate: Certificate) -> str:
    return statement(
        device=certificate.device,
        latency_ms=certificate.latency_ms,
        interval_ms=certificate.interval_ms,
        noise_floor_percent=certificate.noise_floor_percent,
        upper_ms=certificate.upper_ms,
        budget_ms=certificate.budget_ms,
        normalised=certificate.normalised,
    )


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _equal(first: float, second: float) -> bool:
    return math.isclose(first, second, rel_tol=1e-6)


def _at_most(first: float, second: float) -> bool:
    return first <= second or _equal(first, second)
