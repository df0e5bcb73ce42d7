from pathlib import Path

import pytest

from devices.backends.simulated.device import SimulatedDevice
from devices.measurement import Block, Measurement, OperatorTime
from devices.prepared import PreparedCandidate
from devices.protocol import MeasurementProtocol
from devices.result import measurement_of
from devices.worker.runtime import OperatorProfile
from devices.worker.timing import Timing


def _measured(timing: Timing, profile: OperatorProfile | None = None) -> Measurement:
    return measurement_of(
        PreparedCandidate("net", Path("net.onnx"), "", ()),
        timing,
        profile or OperatorProfile("test"),
        device=SimulatedDevice().info(),
        nominal_reference_ms=1.0,
        protocol=MeasurementProtocol(),
        started_at="",
    )


def test_plain_figures_are_of_wall_clock() -> None:
    """In 2 of 3 ms another process had the core: the latency leaves that out, the plain figures do not."""
    blocks = tuple(Block(1, 1.0 + step / 100, 1.0, 2.0) for step in range(101))
    found = _measured(Timing(blocks, 1.5, (1.4, 1.6), 9.0, 1.0, converged=True, cpu_per_wall=1.0))
    assert found.latency_ms == 1.5
    plain = (found.minimum_ms, found.raw_median_ms, found.p90_ms, found.p99_ms)
    assert plain == pytest.approx((3.0, 3.5, 3.9, 3.99))


def test_own_times_are_brought_to_the_speed_of_the_nominal_machine() -> None:
    """The reference net takes 2 ms now and 1 ms nominally, so everything is measured twice too slow."""
    timing = Timing(
        (Block(1, 3.0, 2.0),) * 3, 1.5, (1.5, 1.5), first_run_ms=9.0, load_ms=1.0, converged=True, cpu_per_wall=1.0
    )
    rows = (OperatorTime("Conv", ("a",), ("image",), 2.0, own_ms=1.0),)
    found = _measured(timing, OperatorProfile("test", rows))
    assert found.latency_ms == pytest.approx(1.5)
    assert [(row.ms, row.own_ms) for row in found.operators] == [(pytest.approx(1.5), pytest.approx(0.5))]
