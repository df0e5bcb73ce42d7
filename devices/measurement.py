"""Measurements of one model on one device, with every raw sample. Times are milliseconds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from devices.device_info import DeviceInfo


@dataclass(frozen=True, slots=True)
class OperatorTime:
    """One row of the runtime's own profile, already joined to the tensors it produces in the user's model.

    ``outputs`` and ``inputs`` name tensors of the model as given. A row of the runtime that has no counterpart there
    (a layout reorder) is charged to the row that consumes its output, so that nothing is lost; ``ms`` of all rows
    adds up to the measurement's ``latency_ms``.
    """

    kernel: str
    """Kind of the fused kernel in the runtime's words, e.g. ``"com.microsoft.nchwc:Conv"``."""
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]
    ms: float
    output_shape: tuple[int, ...] = ()
    own_ms: float | None = None
    """Profiled time of the row's kernels only, normalised like ``latency_ms`` but not scaled to it: without reorders
    and without the runtime's own overhead between kernels. None where it is unknown."""
    unit: str = ""
    """Compute unit on which the row ran, e.g. ``"GPU"``; empty where the runtime has one unit or does not report it."""

    def scaled(self, factor: float) -> OperatorTime:
        """The same with every time multiplied."""
        return replace(self, ms=self.ms * factor, own_ms=None if self.own_ms is None else self.own_ms * factor)


@dataclass(frozen=True, slots=True)
class Block:
    """Back-to-back runs of the candidate beside back-to-back runs of the reference net."""

    runs: int
    candidate_ms: float
    """Mean time of one run of the candidate within the block, without ``waited_ms``."""
    reference_ms: float
    """Mean time of one run of the reference net within the neighbouring blocks, also without waiting."""
    waited_ms: float = 0.0
    """Mean time per run in which other processes had the core; ``candidate_ms`` plus this is the wall-clock time."""

    @property
    def wall_ms(self) -> float:
        """Mean wall-clock time of one run of the candidate."""
        return self.candidate_ms + self.waited_ms


@dataclass(frozen=True, slots=True)
class Measurement:
    """Latency of one model on one device.

    ``latency_ms`` = median over the blocks that count (``devices/counted_blocks.py``) of candidate / reference, times
    ``nominal_reference_ms``.
    """

    label: str
    model_sha256: str
    device: DeviceInfo
    latency_ms: float
    interval_ms: tuple[float, float]
    """95 % bootstrap interval of ``latency_ms``."""
    raw_median_ms: float
    """Of the blocks' wall-clock means, like minimum and percentiles: not normalised, waiting included."""
    minimum_ms: float
    p90_ms: float
    p99_ms: float
    first_run_ms: float
    load_ms: float
    nominal_reference_ms: float
    converged: bool
    """False where the interval's half-width did not reach the protocol's target."""
    cpu_per_wall: float
    """Process CPU time / wall time without waiting; above 1.05 more than one thread ran. 0 where it is
    not known: a page of a browser cannot tell it."""
    blocks: tuple[Block, ...]
    operators: tuple[OperatorTime, ...] = ()
    profiler: str = ""
    """Where ``operators`` come from, or why there are none."""
    started_at: str = ""
    """ISO 8601, UTC."""
    input_shapes: tuple[tuple[int, ...], ...] = ()
    peak_memory_bytes: int | None = None
    protocol: dict[str, bool | int | float | str] = field(default_factory=dict)

    @property
    def normalised(self) -> bool:
        """Whether ``latency_ms`` is relative to the reference net; false where the A/A check shows no benefit."""
        return bool(self.protocol.get("normalise", True))

    def on_scale(self, nominal_reference_ms: float | None) -> Measurement:
        """The same with another nominal time of the reference net, of which normalised times are multiples."""
        if nominal_reference_ms in (None, self.nominal_reference_ms) or not self.normalised:
            return self
        factor = nominal_reference_ms / self.nominal_reference_ms
        low, high = self.interval_ms
        return replace(
            self,
            latency_ms=self.latency_ms * factor,
            interval_ms=(low * factor, high * factor),
            nominal_reference_ms=nominal_reference_ms,
            operators=tuple(row.scaled(factor) for row in self.operators),
        )

    @property
    def simulated(self) -> bool:
        """Whether nothing was timed; such a measurement certifies nothing."""
        return self.device.simulated


@dataclass(frozen=True, slots=True)
class FailedMeasurement:
    """A model that could not be measured, and why (crash, hang, out of memory, unsupported operator)."""

    label: str
    model_sha256: str
    device: DeviceInfo
    reason: str
    started_at: str = ""


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """A/A check: one candidate is measured under two labels, so that every difference is noise."""

    normalised_percent: float
    raw_percent: float
    repeats: int
    """Processes of the A/A check; measurements of a campaign that measured its nets several times."""

    def percent_of(self, measurement: Measurement) -> float:
        """That of its kind of latency: normalised or plain."""
        return self.normalised_percent if measurement.normalised else self.raw_percent
