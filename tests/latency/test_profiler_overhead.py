"""What the profiler adds to each kernel is told by nets and taken from the kernels of single operators."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devices.measurement import Measurement, OperatorTime
from latency.operators.synthesize import single_operator, with_tensor_names
from latency.profiler_overhead import (
    ProfiledKernels,
    profiled_kernels,
    profiler_overhead_ms,
    without_overhead,
)
from latency.store import MeasurementStore
from tests.latency.graphs import small_net
from tests.latency.measurements import INFO, measurement

OVERHEAD_MS = 0.002


def profiled(kernels_ms: list[float], label: str = "net", *, reorder_ms: float = 0.0) -> Measurement:
    """A net with these kernels whose profiled times are longer; a reorder is charged to the last one."""
    latency_ms = sum(kernels_ms) + reorder_ms
    own_ms = [ms + OVERHEAD_MS for ms in kernels_ms]
    shown_ms = [*own_ms[:-1], own_ms[-1] + reorder_ms]
    scale = latency_ms / sum(shown_ms)
    names = [operator.tensors for operator in with_tensor_names(small_net()).operators]
    rows = tuple(
        OperatorTime("Conv", names[place % len(names)], (), scale * shown, own_ms=own)
        for place, (shown, own) in enumerate(zip(shown_ms, own_ms, strict=True))
    )
    return replace(measurement(label, latency_ms), operators=rows)


@pytest.mark.parametrize("reorder_ms", [0.0, 0.3])
def test_a_net_tells_what_the_profiler_adds(reorder_ms: float) -> None:
    found = profiled_kernels(profiled([0.01, 0.02, 0.03], reorder_ms=reorder_ms))
    assert found is not None
    assert found.excess_ms == pytest.approx(OVERHEAD_MS)
    assert found.mean_ms == pytest.approx((0.06 + reorder_ms) / 3)


def test_a_runtime_without_times_of_its_own_tells_nothing() -> None:
    assert profiled_kernels(measurement()) is None
    row = OperatorTime("Conv", (), (), 1.0)
    assert profiled_kernels(replace(measurement(), operators=(row,))) is None


def test_nets_with_the_shortest_kernels_tell_most() -> None:
    short = [ProfiledKernels(0.01, ms) for ms in (0.001, 0.002, 0.002, 0.002, 0.002, 0.002, 0.002, 0.003)]
    long = [ProfiledKernels(1.0, -0.5)] * 24
    assert profiler_overhead_ms([*long, *short]) == 0.002
    assert profiler_overhead_ms(short[1:]) == 0, "too few"
    assert profiler_overhead_ms(long) == 0, "never less than nothing"


def test_some_time_is_always_left() -> None:
    assert without_overhead(0.01, 0.002) == pytest.approx(0.008)
    assert without_overhead(0.002, 0.002) == pytest.approx(0.0005)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MeasurementStore]:
    with MeasurementStore(tmp_path / "measurements.sqlite") as opened:
        yield opened


@pytest.mark.parametrize("nets", [0, 8])
def test_single_operators_are_read_without_it(store: MeasurementStore, nets: int) -> None:
    alone = single_operator(small_net().operators[0])
    named = with_tensor_names(alone)
    row = OperatorTime("Conv", named.operators[0].tensors, (), 0.5, own_ms=0.01)
    store.add_measurement(replace(measurement("operator", 0.5), operators=(row,)), named, source="operator")
    for width in range(nets):
        net = with_tensor_names(small_net(4 + width))
        store.add_measurement(profiled([0.01, 0.02, 0.03], f"net{width}"), net, source="campaign")
    sample, *others = store.samples(INFO.fingerprint)
    assert sample.single_operator, "in the order of the first measurement"
    assert len(others) == nets
    (kernel,) = sample.kernels
    assert kernel.ms == pytest.approx(0.01 - (OVERHEAD_MS if nets else 0))
