"""The measurement that certifies a model's latency budget, or the reason why a measurement does not."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_serializer, field_validator

from devices.device_info import DeviceInfo
from devices.measurement import Block, Measurement
from devices.protocol import PROTOCOL_VERSION, MeasurementProtocol
from foundation.errors import UserError

CPU_PER_WALL_LIMIT = 1.05
"""Per requested thread; a measurement that used more processor time ran on more threads."""

REFERENCE_KEY = "reference_sha256"
"""In the protocol of every measurement that was taken by the project's own procedure."""

MOST_BLOCKS = 1000
"""Far more than any protocol takes; a certificate with more is a trap."""

_MOST_RUNS = 10**9

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Certificate(BaseModel):
    """Measurement of the file with ``model_sha256``, which ran within ``budget_ms`` on ``device``; milliseconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    device: DeviceInfo
    model_sha256: str
    budget_ms: Positive
    latency_ms: Positive
    interval_ms: tuple[Positive, Positive]
    """95 % bootstrap interval of ``latency_ms``."""
    noise_floor_percent: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    upper_ms: Positive
    """Upper end of the interval plus the noise floor: what was compared with the budget."""
    converged: bool
    raw_median_ms: float
    p90_ms: float
    first_run_ms: float
    nominal_reference_ms: Positive
    cpu_per_wall: float
    protocol: dict[str, float | int | str | bool]
    blocks: Annotated[tuple[Block, ...], Field(min_length=1, max_length=MOST_BLOCKS)]
    """The raw samples."""
    input_shapes: tuple[tuple[int, ...], ...]
    started_at: str
    statement: str
    """The certificate in one sentence."""
    retry: str = Field(default="", alias="appeal")
    """Empty where the first measurement certified the budget; otherwise how this one was chosen."""

    @field_validator("device", mode="wrap")
    @classmethod
    def _check_fingerprint(cls, value: Any, read: Callable[[Any], DeviceInfo]) -> DeviceInfo:
        if not isinstance(value, dict):
            return read(value)
        device = read({key: one for key, one in value.items() if key != "fingerprint"})
        if value.get("fingerprint") != device.fingerprint:
            raise ValueError("the fingerprint does not belong to the device's description")
        return device

    @field_serializer("device")
    def _with_fingerprint(self, device: DeviceInfo) -> dict[str, object]:
        return device.to_json()

    @field_validator("blocks")
    @classmethod
    def _check_samples(cls, blocks: tuple[Block, ...]) -> tuple[Block, ...]:
        if not all(
            1 <= block.runs <= _MOST_RUNS and 0 < block.candidate_ms < math.inf > block.reference_ms > 0
            for block in blocks
        ):
            raise ValueError("raw samples are positive and finite")
        return blocks

    @field_validator("protocol")
    @classmethod
    def _check_normalise(cls, protocol: dict[str, float | int | str | bool]) -> dict[str, float | int | str | bool]:
        if not isinstance(protocol.get("normalise", True), bool):
            raise ValueError("normalise of the protocol is neither true nor false")
        return protocol

    @property
    def normalised(self) -> bool:
        """As ``Measurement.normalised``."""
        return bool(self.protocol.get("normalise", True))

    @property
    def own_procedure(self) -> bool:
        """Whether this project measured it: its protocol has the reference net or several of its own settings."""
        own = {field.name for field in fields(MeasurementProtocol)}
        return REFERENCE_KEY in self.protocol or len(own & self.protocol.keys()) > 1

    @property
    def unusual_protocol(self) -> dict[str, float | int | str | bool]:
        """Values of the protocol, apart from ``normalise``, that are not the default of its version."""
        if not self.own_procedure or self.device.protocol_version != PROTOCOL_VERSION:
            return {}
        usual = {field.name: field.default for field in fields(MeasurementProtocol)}
        own = {name: value for name, value in self.protocol.items() if name not in ("normalise", REFERENCE_KEY)}
        return {name: value for name, value in own.items() if value != usual.get(name)}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a measurement certifies nothing; ``upper_ms`` is what was compared with the budget."""

    reason: str
    upper_ms: float


def certify(measurement: Measurement, *, budget_ms: float, noise_floor_percent: float) -> Certificate | Refusal:
    """Certifies ``measurement`` where the interval's upper end, widened by the noise floor, is within the budget.

    An interval that did not converge is wider and counts as it is. Refused are: a simulated device (nothing was
    timed), a measurement without raw samples, and one that used more processor time than the requested threads can
    (``cpu_per_wall`` above 1.05 per thread).

    Args:
        measurement: of the file, on the device.
        budget_ms: the latency not to be exceeded.
        noise_floor_percent: spread of the device's A/A check, ``NoiseFloor.normalised_percent``.

    Raises:
        UserError: the budget or the noise floor is not a usable number.
    """
    _check_number("latency budget", budget_ms, above=0, unit="ms")
    _check_number("noise floor", noise_floor_percent, above=-1e-12, unit="%")
    upper_ms = max(measurement.interval_ms[1], measurement.latency_ms) * (1 + noise_floor_percent / 100)
    reason = _refused(measurement, upper_ms, budget_ms)
    if reason:
        return Refusal(reason, upper_ms)
    return _certificate(measurement, budget_ms, noise_floor_percent, upper_ms)


def _check_number(what: str, value: float, *, above: float, unit: str) -> None:
    if not (math.isfinite(value) and value > above):
        expected = "a positive number" if above == 0 else "zero or a positive number"
        raise UserError(what, seen=f"{value} {unit}", expected=f"{expected} of {unit}", remedy="give another value")


def _refused(measurement: Measurement, upper_ms: float, budget_ms: float) -> str:
    threads = measurement.device.threads
    if measurement.simulated:
        return f"device {measurement.device.name} is simulated: nothing was timed"
    if not measurement.blocks:
        return "the measurement holds no raw samples"
    if not measurement.cpu_per_wall <= CPU_PER_WALL_LIMIT * threads:
        return (
            f"processor time was {measurement.cpu_per_wall:.2f} times the wall time while {threads} "
            f"thread{'s were' if threads > 1 else ' was'} requested"
        )
    if not upper_ms <= budget_ms:
        spread = "" if measurement.converged else " of an interval that did not converge"
        return (
            f"{measurement.latency_ms:.3f} ms measured, {upper_ms:.3f} ms with the upper end{spread} and the noise "
            f"floor, is above the budget of {budget_ms:g} ms"
        )
    return ""


def _certificate(
    measurement: Measurement, budget_ms: float, noise_floor_percent: float, upper_ms: float
) -> Certificate:
    return Certificate(
        device=measurement.device,
        model_sha256=measurement.model_sha256,
        budget_ms=budget_ms,
        latency_ms=measurement.latency_ms,
        interval_ms=measurement.interval_ms,
        noise_floor_percent=noise_floor_percent,
        upper_ms=upper_ms,
        converged=measurement.converged,
        raw_median_ms=measurement.raw_median_ms,
        p90_ms=measurement.p90_ms,
        first_run_ms=measurement.first_run_ms,
        nominal_reference_ms=measurement.nominal_reference_ms,
        cpu_per_wall=measurement.cpu_per_wall,
        protocol=measurement.protocol,
        blocks=measurement.blocks,
        input_shapes=measurement.input_shapes,
        started_at=measurement.started_at,
        statement=statement(
            device=measurement.device,
            latency_ms=measurement.latency_ms,
            interval_ms=measurement.interval_ms,
            noise_floor_percent=noise_floor_percent,
            upper_ms=upper_ms,
            budget_ms=budget_ms,
            normalised=measurement.normalised,
        ),
    )


def statement(
    *,
    device: DeviceInfo,
    latency_ms: float,
    interval_ms: tuple[float, float],
    noise_floor_percent: float,
    upper_ms: float,
    budget_ms: float,
    normalised: bool,
) -> str:
    """A certificate in one sentence."""
    low, high = interval_ms
    conditions = ["1 thread" if device.threads == 1 else f"{device.threads} threads", device.precision]
    conditions += [] if normalised else ["plain times"]
    return (
        f"One run takes {latency_ms:.3f} ms (95 % interval {low:.3f} to {high:.3f} ms, noise floor "
        f"{noise_floor_percent:.2f} %), at most {upper_ms:.3f} ms, within the budget of {budget_ms:g} ms, on "
        f"{device.name} ({device.hardware}, {device.runtime} {device.runtime_version}, {', '.join(conditions)})."
    )
