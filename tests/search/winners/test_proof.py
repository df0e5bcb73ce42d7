from __future__ import annotations

from pathlib import Path

import pytest

from devices.measurement import NoiseFloor
from export.bundle.certificate import Certificate, Refusal
from latency.measuring import Measured
from search.winners.proof import MeasureAgain, prove
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


def test_a_first_proof_is_enough(path: Path) -> None:
    asked: list[int] = []
    proof = prove(measurer(path, [4.0], asked), budget_ms=5.0)
    assert isinstance(proof, Certificate)
    assert (proof.retry, asked) == ("", [0])


def test_appeal_goes_to_the_middle_one_and_is_told(path: Path) -> None:
    asked: list[int] = []
    proof = prove(measurer(path, [5.2, 4.1, 5.3, 4.0], asked), budget_ms=5.0)
    assert isinstance(proof, Certificate)
    assert proof.latency_ms == 4.1
    assert asked == [0, 1, 2, 3]
    assert "5.200 ms measured" in proof.retry
    assert "middle one of 3" in proof.retry


def test_two_slow_ones_of_three_refuse(path: Path) -> None:
    proof = prove(measurer(path, [5.2, 4.1, 5.3, 5.1], []), budget_ms=5.0)
    assert isinstance(proof, Refusal)
    assert proof.reason.startswith("5.100 ms measured")
