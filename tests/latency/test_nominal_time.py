"""The nominal time is taken again where the machine has become quieter, and all times are read on the new scale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devices.backends.simulated.device import SimulatedDevice
from devices.measurement import Block, Measurement, NoiseFloor, OperatorTime
from latency.noise_floor import normalising_ms
from latency.nominal_time import reference_ms, refreshed_reference_ms
from latency.operators.synthesize import with_tensor_names
from latency.store import MeasurementStore
from tests.latency.graphs import small_net
from tests.latency.measurements import measurement


class Scripted(SimulatedDevice):
    """A device whose nominal times are given."""

    def __init__(self, *times: float) -> None:
        super().__init__()
        self.times = list(times)

    def nominal_reference_ms(self) -> float:
        return self.times.pop(0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MeasurementStore]:
    with MeasurementStore(tmp_path / "measurements.sqlite") as opened:
        yield opened


def beside(reference: float, label: str = "net") -> Measurement:
    """A measurement of 2 ms beside which the reference net took so long."""
    one = measurement(label, 2.0, device=SimulatedDevice().info())
    return replace(one, blocks=(Block(5, 2.0, reference),) * 3)


def test_a_faster_reference_net_has_it_taken_again(store: MeasurementStore) -> None:
    device = Scripted(1.0, 0.8)
    assert refreshed_reference_ms(device, store, [beside(0.98)]) == 1.0
    assert refreshed_reference_ms(device, store, [beside(1.2)] * 3 + [beside(0.8)]) == 1.0, "in fewer than a quarter"
    assert refreshed_reference_ms(device, store, [beside(0.8)] * 2 + [beside(1.2)]) == 0.8
    assert device.times == []
    assert reference_ms(device, store) == store.nominal_reference_ms(device.info()) == 0.8


def test_a_slower_one_does_not_count(store: MeasurementStore) -> None:
    device = Scripted(1.0, 1.5)
    reference_ms(device, store)
    assert refreshed_reference_ms(device, store, [beside(0.8)]) == 1.0
    assert reference_ms(device, store) == 1.0


def test_it_is_tried_three_times_in_a_row(store: MeasurementStore) -> None:
    device = Scripted(1.0, 1.0, 1.2, 1.1, 0.5)
    for _ in range(5):
        assert refreshed_reference_ms(device, store, [beside(0.8)]) == 1.0
    assert device.times == [0.5]


def test_a_failure_leaves_it_as_it_is(store: MeasurementStore, caplog: pytest.LogCaptureFixture) -> None:
    device = Scripted(1.0, float("nan"))
    assert refreshed_reference_ms(device, store, [beside(0.8)]) == 1.0
    assert "was not taken again" in caplog.text


def test_all_times_are_read_on_the_scale_of_the_least(store: MeasurementStore) -> None:
    device = Scripted(1.0)
    info, graph = device.info(), small_net()
    reference_ms(device, store)
    rows = (OperatorTime("Conv", (), (), 2.0, own_ms=1.0),)
    store.add_measurement(replace(beside(1.0), operators=rows), graph, source="user")
    store.remember_reference(info, 0.5)
    store.add_measurement(replace(beside(0.5), latency_ms=1.0, nominal_reference_ms=0.5), graph, source="user")
    for one in (row.measurement for row in store.measurements(info.fingerprint)):
        assert (one.latency_ms, one.nominal_reference_ms) == (1.0, 0.5)
    latest = store.latest_of(info.fingerprint, graph)
    assert latest is not None
    assert latest.measurement.latency_ms == 1.0
    (sample,) = store.samples(info.fingerprint)
    assert sample.latency_ms == 1.0
    first = store.measurements(info.fingerprint)[0].measurement
    assert first.interval_ms == pytest.approx((0.99, 1.01))
    assert (first.operators[0].ms, first.operators[0].own_ms) == (1.0, 0.5)
    assert first.raw_median_ms == 2.0, "plain times stay"


def test_each_row_is_on_a_scale_of_its_own(store: MeasurementStore) -> None:
    """As after a repair that lost the first nominal time: passes of one net, before and after it was taken again."""
    info, graph = SimulatedDevice().info(), small_net()
    plain = replace(beside(1.0), latency_ms=1.6, protocol={"normalise": False})
    for one in (plain, beside(1.0), replace(beside(0.8), latency_ms=1.6, nominal_reference_ms=0.8)):
        store.add_measurement(one, graph, source="campaign")
    store.remember_reference(info, 0.8)
    assert [row.measurement.latency_ms for row in store.measurements(info.fingerprint)] == [1.6, 1.6, 1.6]
    (sample,) = store.samples(info.fingerprint)
    assert sample.latency_ms == 1.6


def test_operator_times_are_those_of_the_latest_measurement_that_has_any(store: MeasurementStore) -> None:
    info, graph = SimulatedDevice().info(), small_net()
    names = [operator.tensors for operator in with_tensor_names(graph).operators]
    timed = [(OperatorTime("Conv", names[place], (), 2.0),) for place in (0, 1)]
    for rows in ((), timed[0], timed[1], ()):
        store.add_measurement(replace(beside(1.0), operators=rows), with_tensor_names(graph), source="campaign")
    (sample,) = store.samples(info.fingerprint)
    assert 1 in sample.kernels[0].operators
    latest = store.latest_of(info.fingerprint, graph)
    assert latest is not None
    assert latest.measurement.operators == timed[1]


def test_predictors_of_plain_times_have_no_scale(store: MeasurementStore) -> None:
    info = SimulatedDevice().info()
    store.remember_reference(info, 0.8)
    store.remember_noise_floor(info, NoiseFloor(1.0, 1.0, 5))
    assert normalising_ms(info, store) == 0.8
    store.remember_noise_floor(info, NoiseFloor(9.0, 1.0, 5))
    assert normalising_ms(info, store) is None


def test_plain_times_have_no_scale(store: MeasurementStore) -> None:
    device = Scripted(1.0)
    reference_ms(device, store)
    store.add_measurement(replace(beside(1.0), protocol={"normalise": False}), small_net(), source="user")
    store.remember_reference(device.info(), 0.5)
    (sample,) = store.samples(device.info().fingerprint)
    assert sample.latency_ms == 2.0
