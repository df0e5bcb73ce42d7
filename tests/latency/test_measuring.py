"""One model, or several together: measured with the given settings on the store's scale, and stored."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import onnx
import pytest

from devices.backends.ort.device import CpuDevice
from devices.backends.simulated.device import SimulatedDevice
from devices.device import Candidate
from devices.measurement import FailedMeasurement, Measurement, NoiseFloor
from devices.protocol import MeasurementProtocol
from foundation.errors import UserError
from latency.measuring import measure_each, measure_one, measure_together
from latency.noise_floor import adapt_protocol, noise_floor
from latency.nominal_time import reference_ms
from latency.operators.synthesize import to_model
from latency.store import MeasurementStore
from tests import odd_models as odd
from tests.latency.graphs import small_net

QUICK = MeasurementProtocol(minimum_blocks=3, maximum_blocks=3, bootstrap_resamples=20, profile_runs=2)


@dataclass
class Call:
    labels: list[str]
    nominal_reference_ms: float
    protocol: MeasurementProtocol
    seed: int


@dataclass
class Recorder(SimulatedDevice):
    """A simulated device that records how it was called; A/A checks and reference times apart."""

    failing: bool = False
    calls: list[Call] = field(default_factory=list)
    checks: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        SimulatedDevice.__init__(self, noise=0.01)

    def measure(
        self,
        candidates: Sequence[Candidate],
        *,
        nominal_reference_ms: float,
        protocol: MeasurementProtocol,
        seed: int = 0,
    ) -> Iterator[Measurement | FailedMeasurement]:
        call = Call([candidate.label for candidate in candidates], nominal_reference_ms, protocol, seed)
        (self.calls if protocol.profile_runs else self.checks).append(call)
        fails = self.failing and bool(protocol.profile_runs)
        for result in super().measure(
            candidates, nominal_reference_ms=nominal_reference_ms, protocol=protocol, seed=seed
        ):
            yield FailedMeasurement(result.label, "", self.info(), "it crashed") if fails else result


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MeasurementStore]:
    with MeasurementStore(tmp_path / "measurements.sqlite") as opened:
        opened.remember_noise_floor(Recorder().info(), NoiseFloor(1.0, 2.0, 5))
        yield opened


@pytest.fixture
def candidate(tmp_path: Path) -> Candidate:
    return save(tmp_path, "net")


def save(folder: Path, label: str, side: int = 8) -> Candidate:
    path = folder / f"{label}.onnx"
    onnx.save(to_model(small_net(side)), path)
    return Candidate(label, path)


def test_every_setting_reaches_the_device_and_the_store(store: MeasurementStore, candidate: Candidate) -> None:
    device = Recorder()
    store.remember_reference(device.info(), 0.25)
    measured = measure_one(device, candidate, store, protocol=QUICK, seed=7, source="winner")
    assert device.calls == [Call(["net"], 0.25, QUICK, 7)]
    assert measured.noise_floor == NoiseFloor(1.0, 2.0, 5)
    (stored,) = store.measurements(device.info().fingerprint)
    assert (stored.measurement, stored.source) == (measured.measurement, "winner")
    assert measured.measurement.nominal_reference_ms == 0.25


def test_times_are_on_the_scale_of_the_least_reference_time(store: MeasurementStore, candidate: Candidate) -> None:
    device = Recorder()
    first = reference_ms(device, store)
    assert first == store.nominal_reference_ms(device.info())
    (before,) = measure_each(device, [candidate], store, protocol=QUICK)
    store.remember_reference(device.info(), 2 * first)
    (after,) = measure_each(device, [candidate], store, protocol=QUICK)
    assert isinstance(before, Measurement)
    assert isinstance(after, Measurement)
    assert before.nominal_reference_ms == after.nominal_reference_ms == first
    assert after.latency_ms == pytest.approx(before.latency_ms, rel=0.2)


def test_a_machine_that_has_become_quieter_gives_times_on_its_new_scale(
    store: MeasurementStore, candidate: Candidate
) -> None:
    device = Recorder()
    usual_ms = device.nominal_reference_ms()
    store.remember_reference(device.info(), 2 * usual_ms)
    (slow,) = measure_each(device, [candidate], store, protocol=QUICK)
    assert isinstance(slow, Measurement)
    measured = measure_one(device, candidate, store, protocol=QUICK).measurement
    assert measured.nominal_reference_ms == store.nominal_reference_ms(device.info()) < 1.2 * usual_ms
    assert measured.latency_ms == pytest.approx(slow.latency_ms / 2, rel=0.2)


def test_the_reference_net_and_the_noise_floor_are_measured_once(tmp_path: Path, candidate: Candidate) -> None:
    device = Recorder()
    with MeasurementStore(tmp_path / "new.sqlite") as store:
        measure_one(device, candidate, store, protocol=QUICK, seed=7)
        checks = len(device.checks)
        floor = store.noise_floor(device.info())
        measure_one(device, candidate, store, protocol=QUICK, seed=8)
        assert len(device.checks) == checks > 0
        assert noise_floor(device, store, candidate) == floor


def test_the_noise_floor_is_taken_with_the_given_settings(tmp_path: Path, candidate: Candidate) -> None:
    device = Recorder()
    with MeasurementStore(tmp_path / "new.sqlite") as store:
        store.remember_reference(device.info(), 0.25)
        noise_floor(device, store, candidate, protocol=replace(QUICK, minimum_blocks=2), seed=100)
    assert {check.nominal_reference_ms for check in device.checks} == {0.25}
    assert {check.protocol.minimum_blocks for check in device.checks} == {2}
    assert min(check.seed for check in device.checks) >= 100


def test_several_models_are_measured_in_one_group(
    store: MeasurementStore, candidate: Candidate, tmp_path: Path
) -> None:
    device = Recorder()
    pair = [candidate, save(tmp_path, "wider", 16)]
    results = measure_together(device, pair, store, protocol=QUICK, seed=3, source="winner")
    assert [result.label for result in results] == ["net", "wider"]
    assert [(call.labels, call.seed) for call in device.calls] == [(["net", "wider"], 3)]
    assert store.measured_labels(device.info().fingerprint) == {"net", "wider"}


def test_a_failure_is_stored_with_its_reason(
    store: MeasurementStore, candidate: Candidate, caplog: pytest.LogCaptureFixture
) -> None:
    device = Recorder(failing=True)
    with caplog.at_level(logging.INFO, "latency"), pytest.raises(UserError, match="it crashed"):
        measure_one(device, candidate, store, protocol=QUICK, source="winner")
    assert [(one.label, one.source, one.reason) for one in store.failures(device.info().fingerprint)] == [
        ("net", "winner", "it crashed")
    ]
    assert f"net: failed on {device.name}: it crashed" in caplog.text


def test_a_model_without_an_operator_graph_is_measured_and_not_stored(
    store: MeasurementStore, candidate: Candidate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise UserError("operator Loop", seen="control flow", expected="none", remedy="unroll it")

    monkeypatch.setattr("latency.measuring.from_onnx", refuse)
    device = Recorder()
    assert isinstance(measure_each(device, [candidate], store, protocol=QUICK)[0], Measurement)
    assert store.measured_labels(device.info().fingerprint) == set()
    assert "control flow" in caplog.text


@pytest.mark.parametrize(("normalised", "raw", "normalises"), [(2.0, 20.0, True), (1.1, 1.0, True), (6.0, 3.0, False)])
def test_normalisation_is_switched_off_only_where_it_clearly_harms(
    normalised: float, raw: float, normalises: bool
) -> None:
    assert adapt_protocol(QUICK, NoiseFloor(normalised, raw, 5)) == replace(QUICK, normalise=normalises)
    assert adapt_protocol(QUICK, None) == QUICK


def test_one_model_is_measured_without_normalisation_where_that_harms(tmp_path: Path, candidate: Candidate) -> None:
    device = Recorder()
    with MeasurementStore(tmp_path / "new.sqlite") as store:
        store.remember_noise_floor(device.info(), NoiseFloor(6.0, 3.0, 5))
        measure_one(device, candidate, store, protocol=QUICK)
    assert [call.protocol for call in device.calls] == [replace(QUICK, normalise=False)]


def test_a_model_that_cannot_be_fed_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    path = odd.saved(odd.cast_net(onnx.TensorProto.BFLOAT16), tmp_path)
    device = CpuDevice()
    with MeasurementStore(tmp_path / "store.sqlite") as store:
        with pytest.raises(UserError, match="bfloat16, which cannot be fed"):
            measure_one(device, Candidate("net", path), store)
        assert store.nominal_reference_ms(device.info()) is None
