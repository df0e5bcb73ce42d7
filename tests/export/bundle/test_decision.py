"""A budget is decided by the first measurement, by the middle of three more, or not at all on a disturbed machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devices import other_load
from devices.measurement import FailedMeasurement, Measurement
from export.bundle import decision
from export.bundle.certificate import Certificate, certify
from export.bundle.check import Check, VerifyResult
from export.bundle.decision import Budget, decide
from tests.export.runtime_device import INFO, measurement

BUDGET_MS = 5.0
SLOWER = (5.15, 5.3, 5.2)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"model")
    return path


@pytest.fixture
def certificate(model: Path) -> Certificate:
    found = certify(measurement(model), budget_ms=BUDGET_MS, noise_floor_percent=1.0)
    assert isinstance(found, Certificate)
    return found


def budget_of(certificate: Certificate) -> Budget:
    return Budget(certificate.budget_ms, certificate.model_sha256)


def decided(certificate: Certificate, model: Path, *latencies: float, wait_s: float = 0.0) -> tuple[Check, int]:
    """The check, and how many measurements it took."""
    taken: list[int] = []

    def measure(attempt: int) -> Measurement | FailedMeasurement:
        taken.append(attempt)
        latency_ms = latencies[attempt]
        if latency_ms < 0:
            return FailedMeasurement("bundle", "", INFO, "crashed")
        return measurement(model, latency_ms=latency_ms)

    return decide("budget", budget_of(certificate), measure, other_load.other_load, wait_s=wait_s), len(taken)


def loads(monkeypatch: pytest.MonkeyPatch, *values: float) -> None:
    rest: Iterator[float] = iter(values)
    last = values[-1]
    monkeypatch.setattr(other_load, "other_load", lambda: next(rest, last))


def test_the_first_measurement_within_the_budget_decides(certificate: Certificate, model: Path) -> None:
    check, taken = decided(certificate, model, 4.9)
    assert (check.ok, check.undecided, taken) == (True, False, 1)


def test_a_first_interval_that_crosses_the_budget_does_not_decide(certificate: Certificate, model: Path) -> None:
    latency_ms = 0.999 * BUDGET_MS
    assert measurement(model, latency_ms=latency_ms).interval_ms[1] > BUDGET_MS
    assert decided(certificate, model, latency_ms, *SLOWER, *SLOWER)[0].undecided is False
    check, taken = decided(certificate, model, latency_ms, 4.9, 5.1, 4.9)
    assert (check.ok, taken) == (True, 4)


def test_the_middle_of_three_more_corrects_a_first_one(certificate: Certificate, model: Path) -> None:
    check, taken = decided(certificate, model, 5.2, 4.8, 5.4, 4.9)
    assert (check.ok, taken) == (True, 4)
    assert "4.900 ms" in check.detail
    assert "after a first one: 5.200 ms" in check.detail


def test_later_rounds_correct_a_disturbed_one(
    certificate: Certificate, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(decision.time, "sleep", slept.append)
    monkeypatch.setattr(decision, "_PAUSE_S", 10.0)
    check, taken = decided(certificate, model, 5.2, *SLOWER, 4.9, 5.1, 4.9)
    assert (check.ok, check.undecided, taken) == (True, False, 7)
    assert slept == [0, 10]
    assert "in round 2" in check.detail


def test_on_a_quiet_machine_a_slower_file_fails(certificate: Certificate, model: Path) -> None:
    check, taken = decided(certificate, model, 5.2, *SLOWER, *SLOWER)
    assert (check.ok, check.undecided, taken) == (False, False, 7)
    assert VerifyResult((check,)).undecided is False


@pytest.mark.parametrize(("latency_ms", "undecided"), [(5.001, True), (5.099, True), (5.101, False)])
def test_what_is_hardly_above_the_budget_stays_undecided(
    certificate: Certificate, model: Path, latency_ms: float, undecided: bool
) -> None:
    check, _ = decided(certificate, model, 5.2, *SLOWER, 4.9, latency_ms, 5.3)
    assert (check.ok, check.undecided) == (False, undecided)
    assert ("too close to tell" in check.detail) == undecided


@pytest.mark.parametrize("when", range(8))
def test_load_at_any_moment_leaves_it_undecided(
    certificate: Certificate, model: Path, when: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads(monkeypatch, *(1.0 if moment == when else 0.0 for moment in range(8)))
    check, taken = decided(certificate, model, 5.2, *SLOWER, *SLOWER)
    assert (check.ok, check.undecided, taken) == (False, True, 4 if when < 5 else 7)
    assert "too busy to tell: other programs used 1.0 cores" in check.detail
    result = VerifyResult((check, Check("other", True, "")))
    assert (result.ok, result.undecided) == (False, True)
    assert not VerifyResult((check, Check("other", False, ""))).undecided


def test_on_a_busy_machine_a_fast_file_passes(
    certificate: Certificate, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads(monkeypatch, 2.0)
    assert decided(certificate, model, 4.9)[0].ok


def test_on_a_busy_machine_a_round_passes_with_its_whole_interval_only(
    certificate: Certificate, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads(monkeypatch, 2.0)
    check, taken = decided(certificate, model, 5.2, 4.99, 5.3, 4.98)
    assert (check.ok, check.undecided, taken) == (False, True, 4)
    assert decided(certificate, model, 5.2, 4.9, 5.3, 4.9)[0].ok


def test_waiting_ends_with_the_load(certificate: Certificate, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(decision.time, "sleep", slept.append)
    loads(monkeypatch, 1.0, 1.0, 0.0)
    check, _ = decided(certificate, model, 4.9, wait_s=60)
    assert check.ok
    assert len(slept) == 2
    loads(monkeypatch, 1.0)
    slept.clear()
    decided(certificate, model, 4.9)
    assert slept == [], "without --wait"


@pytest.mark.parametrize("load", [0.0, 2.0])
def test_a_crash_or_another_file_is_no_question_of_load(
    certificate: Certificate, model: Path, load: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads(monkeypatch, load)
    assert decided(certificate, model, -1.0)[0] == Check("budget", False, "crashed")
    later, _ = decided(certificate, model, 5.2, 5.1, -1.0, 5.1)
    assert (later.ok, later.undecided) == (False, False)
    assert later.detail.startswith("crashed; ")
    other = replace(measurement(model), model_sha256="0" * 64)
    assert decide("budget", budget_of(certificate), lambda _: other, float) == Check(
        "budget", False, "another file was measured"
    )
    threads = replace(measurement(model), cpu_per_wall=1.9)
    assert not decide("budget", budget_of(certificate), lambda _: threads, float).undecided
