"""The nominal time is taken again where the machine has become quieter, and all times are read on the new scale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devices.backends.simulated.device import SimulatedDevice
from devices.measurement import Block, Measurement, OperatorTime
from latency.nominal_time import reference_ms, refreshed_reference_ms
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


def test_all_times_are_read_on_the_scale_of_the_least(store: MeasurementStore) -> None:
    device = Scripted(1.0)
    info, graph = device.info(), small_net()
    reference_ms(device, store)
    rows = (OperatorTime("Conv", (), (), 2.0, own_ms=1.0),)
    store.add_measurement(replace(beside(1.0), operators=rows), graph, source="user")
    store.remember_reference(info, 0.5)
    store.add_measurement(replace(beside(0.5), latency_ms=1.0, nominal_reference_ms=0.5), graph, source="user")
    for one in (*(row.measurement for row in store.measurements(info.fingerprint)),):
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


def test_plain_times_have_no_scale(store: MeasurementStore) -> None:
    device = Scripted(1.0)
    reference_ms(device, store)
    store.add_measurement(replace(beside(1.0), protocol={"normalise": False}), small_net(), source="user")
    store.remember_reference(device.info(), 0.5)
    (sample,) = store.samples(device.info().fingerprint)
    assert sample.latency_ms == 2.0
