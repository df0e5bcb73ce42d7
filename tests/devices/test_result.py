from pathlib import Path

import pytest

from devices.backends.simulated.device import SimulatedDevice
from devices.measurement import Block, OperatorTime
from devices.prepared import PreparedCandidate
from devices.protocol import MeasurementProtocol
from devices.result import measurement_of
from devices.worker.session import OperatorProfile
from devices.worker.timing import Timing


def test_own_times_are_brought_to_the_speed_of_the_nominal_machine() -> None:
    """The reference net takes 2 ms now and 1 ms nominally, so everything is measured twice too slow."""
    timing = Timing(
        (Block(1, 3.0, 2.0),) * 3, 1.5, (1.5, 1.5), first_run_ms=9.0, load_ms=1.0, converged=True, cpu_per_wall=1.0
    )
    rows = (OperatorTime("Conv", ("a",), ("image",), 2.0, own_ms=1.0),)
    found = measurement_of(
        PreparedCandidate("net", Path("net.onnx"), "", ()),
        timing,
        OperatorProfile("test", rows),
        device=SimulatedDevice().info(),
        nominal_reference_ms=1.0,
        protocol=MeasurementProtocol(),
        started_at="",
    )
    assert found.latency_ms == pytest.approx(1.5)
    assert [(row.ms, row.own_ms) for row in found.operators] == [(pytest.approx(1.5), pytest.approx(0.5))]
