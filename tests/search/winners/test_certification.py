from __future__ import annotations

from pathlib import Path

import pytest

from devices.measurement import NoiseFloor
from export.bundle.certificate import Certificate, Refusal
from latency.measuring import Measured
from search.winners.certification import MeasureAgain, certify_file
from tests.export.runtime_device import measurement


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"model")
    return path


def measurer(path: Path, latencies_ms: list[float], asked: list[int]) -> MeasureAgain:
    def measure(attempt: int) -> Measured:
        asked.append(attempt)
        floor = NoiseFloor(normalised_percent=0.0, raw_percent=0.0, repeats=3)
        return Measured(measurement(path, latency_ms=latencies_ms[attempt]), floor)

    return measure


def test_a_first_certificate_is_enough(path: Path) -> None:
    asked: list[int] = []
    decision = certify_file(measurer(path, [4.0], asked), budget_ms=5.0)
    assert isinstance(decision, Certificate)
    assert (decision.retry, asked) == ("", [0])


def test_a_retry_takes_the_middle_one_and_is_recorded(path: Path) -> None:
    asked: list[int] = []
    decision = certify_file(measurer(path, [5.2, 4.1, 5.3, 4.0], asked), budget_ms=5.0)
    assert isinstance(decision, Certificate)
    assert decision.latency_ms == 4.1
    assert asked == [0, 1, 2, 3]
    assert "5.200 ms measured" in decision.retry
    assert "middle one of 3" in decision.retry


def test_two_slow_ones_of_three_refuse(path: Path) -> None:
    decision = certify_file(measurer(path, [5.2, 4.1, 5.3, 5.1], []), budget_ms=5.0)
    assert isinstance(decision, Refusal)
    assert decision.reason.startswith("5.100 ms measured")
