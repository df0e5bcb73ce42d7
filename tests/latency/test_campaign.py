"""The campaign on the simulated device: resumable, bounded in time, never stopped by one bad model."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from devices.backends.simulated.device import SimulatedDevice
from devices.device import Candidate
from devices.measurement import FailedMeasurement, Measurement, NoiseFloor
from devices.protocol import MeasurementProtocol
from foundation.errors import DeviceUnavailableError
from latency.campaign import run_campaign
from latency.campaign_groups import CampaignGroup
from latency.campaign_items import (
    DEFAULT_OPERATORS,
    DEFAULT_PASSES,
    CampaignItem,
    campaign_items,
    default_operators,
    default_passes,
    operator_items,
)
from latency.campaign_result import CampaignProgress
from latency.fit import FEW_NETS
from latency.operators import builders
from latency.operators.neighbourhood import inner
from latency.operators.operator import Operator, OperatorGraph
from latency.operators.serialize import graph_digest
from latency.operators.synthesize import single_operator
from latency.store import MeasurementStore
from tests.latency.graphs import random_graph, small_net
from tests.latency.measurements import measurement

QUICK = MeasurementProtocol(minimum_blocks=3, maximum_blocks=3, bootstrap_resamples=20, profile_runs=2)
ROOT = Path(__file__).parents[2]


def nets(count: int = 6) -> list[OperatorGraph]:
    return [random_graph(Random(seed), 12) for seed in range(count)]


class Watched(SimulatedDevice):
    """A simulated device that counts, and that can fail or be interrupted at a label."""

    def __init__(self, *, failing: Sequence[str] = (), interrupt_after: int | None = None) -> None:
        super().__init__(noise=0.01)
        self.groups: list[list[str]] = []
        self.calls: list[tuple[float, MeasurementProtocol, int]] = []
        self.reference_calls = 0
        self.closed = 0
        self._failing = failing
        self._interrupt_after = interrupt_after

    def nominal_reference_ms(self) -> float:
        self.reference_calls += 1
        return super().nominal_reference_ms()

    def measure(
        self,
        candidates: Sequence[Candidate],
        *,
        nominal_reference_ms: float,
        protocol: MeasurementProtocol,
        seed: int = 0,
    ) -> Iterator[Measurement | FailedMeasurement]:
        results = super().measure(candidates, nominal_reference_ms=nominal_reference_ms, protocol=protocol, seed=seed)
        if candidates[0].label.endswith(" (A)"):
            return results  # the A/A check, or the nominal time of the reference net
        self.groups.append([candidate.label for candidate in candidates])
        self.calls.append((nominal_reference_ms, protocol, seed))
        return self._watched(results)

    def _watched(self, results: Iterator[Measurement | FailedMeasurement]) -> Iterator[Measurement | FailedMeasurement]:
        try:
            for result in results:
                if self._interrupt_after == 0:
                    raise KeyboardInterrupt
                if self._interrupt_after is not None:
                    self._interrupt_after -= 1
                if result.label in self._failing:
                    yield FailedMeasurement(result.label, result.model_sha256, self.info(), "it crashed", "now")
                else:
                    yield result
        finally:
            self.closed += 1


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MeasurementStore]:
    with MeasurementStore(tmp_path / "measurements.sqlite") as opened:
        yield opened


def test_nets_come_first_then_operators_in_larger_groups(store: MeasurementStore) -> None:
    device, items = Watched(), campaign_items(nets(), 30)
    result = run_campaign(device, store, items, protocol=QUICK, group_size=4)
    assert (result.models, result.operators, result.failed, result.left) == (6, 30, 0, 0)
    assert [len(group) for group in device.groups] == [4, 2, 24, 6]
    assert result.noise_floor is not None
    assert result.noise_floor == store.noise_floor(device.info())
    assert device.closed == 4
    samples = store.samples(device.info().fingerprint)
    assert [sample.single_operator for sample in samples] == [False] * 6 + [True] * 30
    assert {sample.label: sample.graph for sample in samples} == {item.label: item.graph for item in items}
    for sample in samples:
        # That of a single operator is the kernel's own, which the simulated device profiles with its noise.
        room = 0.1 if sample.single_operator else 1e-6
        assert sum(kernel.ms for kernel in sample.kernels) == pytest.approx(sample.latency_ms, rel=room)


def test_every_setting_reaches_the_device(store: MeasurementStore) -> None:
    device = Watched()
    store.remember_reference(device.info(), 0.25)
    store.remember_reference(device.info(), 9.0)
    store.remember_noise_floor(device.info(), NoiseFloor(1.0, 2.0, 5))
    protocol = replace(QUICK, minimum_blocks=2)
    run_campaign(device, store, campaign_items(nets(), 0), protocol=protocol, group_size=2, seed=40)
    assert [len(group) for group in device.groups] == [2, 2, 2]
    assert device.calls == [(0.25, protocol, 40), (0.25, protocol, 41), (0.25, protocol, 42)]


def test_the_noise_floor_is_taken_with_the_settings_of_the_campaign(store: MeasurementStore) -> None:
    taken: list[dict[str, object]] = []

    class Checked(Watched):
        def noise_floor(self, candidate: Candidate, **settings: object) -> NoiseFloor:
            taken.append(settings)
            return NoiseFloor(6.0, 3.0, 5)

    device = Checked()
    store.remember_reference(device.info(), 0.25)
    run_campaign(device, store, campaign_items(nets(), 0), protocol=QUICK, seed=40)
    assert taken == [{"nominal_reference_ms": 0.25, "protocol": QUICK, "seed": 40}]
    assert {protocol.normalise for _, protocol, _ in device.calls} == {False}


def test_the_log_names_what_is_measured_skipped_and_failed(
    store: MeasurementStore, caplog: pytest.LogCaptureFixture
) -> None:
    items = campaign_items(nets(2), 1)
    bad, good, operator = (item.label for item in items)
    with caplog.at_level(logging.INFO, "latency"):
        run_campaign(Watched(failing=[bad]), store, items, protocol=QUICK)
        assert f"net {bad}: measuring on simulated" in caplog.text
        assert f"net {bad}: failed: it crashed" in caplog.text
        assert f"{items[2].graph.operators[0].kind} {operator}: measuring on simulated" in caplog.text
        caplog.clear()
        run_campaign(Watched(), store, items, protocol=QUICK)
        assert f"net {bad}: skipped, it failed before: it crashed" in caplog.text
        assert f"net {good}: skipped, its measurement is stored" in caplog.text


def test_a_second_run_has_nothing_to_do(store: MeasurementStore) -> None:
    device, items = Watched(), campaign_items(nets(), 5)
    run_campaign(device, store, items, protocol=QUICK)
    groups = len(device.groups)
    again = run_campaign(device, store, items, protocol=QUICK)
    assert (again.models, again.operators, again.measured) == (6, 5, 0)
    assert len(device.groups) == groups
    assert device.reference_calls == 1


def test_new_items_are_added_to_old_ones(store: MeasurementStore) -> None:
    device = Watched()
    run_campaign(device, store, campaign_items(nets(2), 0), protocol=QUICK)
    result = run_campaign(device, store, campaign_items(nets(5), 0), protocol=QUICK)
    assert (result.models, result.measured) == (5, 3)


def test_interrupt_keeps_what_was_measured(store: MeasurementStore) -> None:
    items = campaign_items(nets(), 0)
    device = Watched(interrupt_after=3)
    with pytest.raises(KeyboardInterrupt):
        run_campaign(device, store, items, protocol=QUICK)
    assert len(store.measured_labels(device.info().fingerprint)) == 3
    resumed = Watched()
    result = run_campaign(resumed, store, items, protocol=QUICK)
    assert (result.models, result.measured) == (6, 3)
    assert resumed.reference_calls == 0


def test_failures_are_recorded_and_repeated_only_on_request(store: MeasurementStore) -> None:
    items = campaign_items(nets(), 0)
    bad = items[2].label
    failing = Watched(failing=[bad])
    result = run_campaign(failing, store, items, protocol=QUICK)
    assert (result.models, result.failed, result.left) == (5, 1, 0)
    assert [(f.label, f.reason) for f in store.failures(failing.info().fingerprint)] == [(bad, "it crashed")]
    idle = Watched()
    assert run_campaign(idle, store, items, protocol=QUICK).failed == 1
    assert idle.groups == []
    mended = run_campaign(Watched(), store, items, protocol=QUICK, retry_failed=True)
    assert (mended.models, mended.failed, mended.measured) == (6, 0, 1)


def test_operators_that_cannot_be_measured_alone_are_named(store: MeasurementStore) -> None:
    odd = builders.operator("com.example.Odd", (), ((1, 8, 4, 4),), ((1, 8), (1, 4)))
    graph = OperatorGraph((odd,), ((-1,),), ((1, 8, 4, 4),))
    (failure,) = run_campaign(Watched(), store, operator_items([graph]), protocol=QUICK).failures
    assert failure.what == "com.example.Odd 1x8x4x4 to 1x8, 1x4"
    assert "com.example.Odd" in failure.reason


def test_operators_among_others_are_measured_and_one_that_fails_is_no_failure(store: MeasurementStore) -> None:
    items = operator_items([small_net()])
    among = [item for item in items if item.is_neighbourhood]
    device = Watched(failing=[among[0].label])
    for _ in range(2):
        result = run_campaign(device, store, items, protocol=QUICK)
        assert (result.models, result.operators, result.failures, result.left) == (0, len(items) - 1, (), 0)
    samples = {sample.label: sample for sample in store.samples(device.info().fingerprint)}
    for item in among[1:]:
        sample = samples[item.label]
        assert {kernel.operators for kernel in sample.kernels} == {(place,) for place in inner(sample.graph)}
        assert (sample.single_operator, sample.alone) == (True, False)


def test_a_net_stays_one_where_it_is_also_a_neighbourhood(store: MeasurementStore) -> None:
    (graph,) = [item.graph for item in operator_items([small_net()]) if item.is_neighbourhood][:1]
    items = [CampaignItem("net", graph, "campaign"), CampaignItem("among others", graph, "operator")]
    device = Watched()
    assert run_campaign(device, store, items, protocol=QUICK).left == 0
    (sample,) = store.samples(device.info().fingerprint)
    assert not sample.single_operator


def test_a_graph_that_no_model_can_be_made_of_is_a_failure(store: MeasurementStore) -> None:
    graph = small_net()
    odd = replace(graph, operators=(*graph.operators[:-1], replace(graph.operators[-1], kind="com.example.Odd")))
    items = [CampaignItem("odd", odd, "campaign"), *campaign_items(nets(2), 0)]
    result = run_campaign(Watched(), store, items, protocol=QUICK)
    assert (result.models, result.failed) == (2, 1)
    assert result.failures[0].what == "net odd"
    assert "com.example.Odd" in store.failures(Watched().info().fingerprint)[0].reason


def test_an_operator_without_inputs_is_a_failure(store: MeasurementStore) -> None:
    noise = OperatorGraph((Operator("RandomNormal", (), (), ((1, 3, 8, 8),), 0, 0, 0, 768),), ((),), ())
    result = run_campaign(
        Watched(), store, [CampaignItem("noise", noise, "operator"), *campaign_items(nets(2), 0)], protocol=QUICK
    )
    assert (result.models, result.failed) == (2, 1)
    assert "RandomNormal" in store.failures(Watched().info().fingerprint)[0].reason


def test_limit_of_minutes(store: MeasurementStore) -> None:
    device, items = Watched(), campaign_items(nets(), 10)
    stopped = run_campaign(device, store, items, protocol=QUICK, minutes=0)
    assert (stopped.models, stopped.operators, stopped.left) == (0, 0, 16)
    assert device.groups == []
    assert run_campaign(device, store, items, protocol=QUICK).left == 0


def test_progress_counts_down_to_nothing(store: MeasurementStore) -> None:
    items = campaign_items(nets(), 4)
    seen: list[CampaignProgress] = []
    run_campaign(Watched(failing=[items[0].label]), store, items, protocol=QUICK, on_progress=seen.append)
    assert [progress.done for progress in seen] == list(range(1, 11))
    assert {progress.total for progress in seen} == {10}
    assert {progress.note for progress in seen if progress.latency_ms is None} == {"latest failed, 1 failed"}
    assert all(f"{one.latency_ms:.2f} ms" in one.note for one in seen if one.latency_ms is not None)
    assert seen[-1].failed == 1
    assert seen[-1].seconds_left == 0
    assert [progress.latency_ms is None for progress in seen].count(True) == 1


def test_temporary_models_are_taken_away(
    store: MeasurementStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    with pytest.raises(KeyboardInterrupt):
        run_campaign(Watched(interrupt_after=1), store, campaign_items(nets(), 0), protocol=QUICK)
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_campaign_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "measurements.sqlite"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.latency.campaign_runner", str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    reported = [process.stdout.readline().strip() for _ in range(3)]
    os.kill(process.pid, signal.SIGKILL)
    reported += [line.strip() for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    process.wait()
    process.stdout.close()
    device, items = Watched(), campaign_items(nets(), 0)
    with MeasurementStore(path) as store:
        assert set(reported) <= store.measured_labels(device.info().fingerprint)
        result = run_campaign(device, store, items, protocol=QUICK)
        assert result.models == 6
        assert len(store.measurements(device.info().fingerprint)) == 6


def test_a_net_that_fails_the_noise_check_gives_way_to_another(store: MeasurementStore) -> None:
    items = campaign_items(nets(), 0)
    middle = sorted(items, key=lambda item: item.graph.flops)[3]

    class Crashing(Watched):
        def noise_floor(self, candidate: Candidate, **settings: object) -> NoiseFloor:
            if candidate.label == middle.label:
                raise DeviceUnavailableError("A/A check", seen="a crash", expected="a measurement", remedy="another")
            return super().noise_floor(candidate, **settings)  # type: ignore[arg-type]

    result = run_campaign(Crashing(), store, items, protocol=QUICK)
    assert result.noise_floor is not None
    assert result.models == 6


class TestPasses:
    def test_each_net_is_measured_so_often_beside_others_and_operators_once(self, store: MeasurementStore) -> None:
        device, items = Watched(), campaign_items(nets(12), 5)
        protocol = replace(QUICK, minimum_blocks=12, maximum_blocks=12)
        result = run_campaign(device, store, items, protocol=protocol, passes=3, group_size=4)
        assert (result.models, result.operators, result.measured) == (12, 5, 3 * 12 + 5)
        taken = Counter(row.measurement.label for row in store.measurements(device.info().fingerprint))
        assert {item.label: taken[item.label] for item in items} == {
            item.label: 1 if item.source == "operator" else 3 for item in items
        }
        first, second, third = ([set(group) for group in device.groups[start : start + 3]] for start in (0, 4, 7))
        assert not any(group in first or group in third for group in second)
        assert len({seed for _, _, seed in device.calls}) == len(device.calls)
        asked = [(protocol.minimum_blocks, protocol.profile_runs) for _, protocol, _ in device.calls]
        assert asked == [(4, 2)] * 3 + [(12, 2)] + [(4, 0)] * 6, "operator times are taken in the first pass"

    def test_operator_times_are_those_of_the_first(self, store: MeasurementStore) -> None:
        items = campaign_items(nets(3), 0)
        run_campaign(Watched(), store, items, protocol=QUICK, passes=2)
        for sample in store.samples(Watched().info().fingerprint):
            assert sum(kernel.ms for kernel in sample.kernels) == pytest.approx(sample.latency_ms)

    def test_missing_passes_are_left(self, store: MeasurementStore) -> None:
        device, items = Watched(), campaign_items(nets(6), 2)
        run_campaign(device, store, items, protocol=QUICK)
        stopped = run_campaign(device, store, items, protocol=QUICK, passes=2, minutes=0)
        assert (stopped.models, stopped.operators, stopped.left) == (6, 2, 6)

    def test_a_model_may_have_any_name(self, store: MeasurementStore) -> None:
        """Claims are by label, and `measure` labels a model with the name of its file."""
        device, items = Watched(), campaign_items(nets(3), 0)
        for label in ("repeats", "check", "check by repeats"):
            taken = measurement(label, device=device.info())
            store.add_measurement(taken, items[0].graph, source="user")
        assert run_campaign(device, store, items, protocol=QUICK, passes=2).measured == 6

    @pytest.mark.parametrize(("blocks", "passes", "each"), [(15, 1, 15), (15, 4, 4), (5, 5, 3), (15, 3, 5)])
    def test_blocks_are_spread_over_the_passes(self, blocks: int, passes: int, each: int) -> None:
        (item,) = campaign_items(nets(1), 0)
        protocol = replace(QUICK, minimum_blocks=blocks)
        assert CampaignGroup((item,), 0).protocol(protocol, passes).minimum_blocks == each

    def test_many_nets_are_measured_several_times(self) -> None:
        assert (default_passes(FEW_NETS), default_passes(FEW_NETS + 1)) == (1, DEFAULT_PASSES)

    def test_what_is_missing_is_measured_later(self, store: MeasurementStore) -> None:
        device, items = Watched(), campaign_items(nets(6), 0)
        run_campaign(device, store, items, protocol=QUICK)
        again = run_campaign(device, store, items, protocol=QUICK, passes=3)
        assert again.measured == 12
        assert run_campaign(device, store, items, protocol=QUICK, passes=3).measured == 0

    def test_the_repeats_become_the_noise_floor(self, store: MeasurementStore) -> None:
        device, items = SimulatedDevice(noise=0.2), campaign_items(nets(12), 0)
        before = run_campaign(device, store, items, protocol=QUICK).noise_floor
        after = run_campaign(device, store, items, protocol=QUICK, passes=2).noise_floor
        assert after == store.noise_floor(device.info()) != before
        assert after is not None
        assert after.repeats == 24

    def test_a_net_that_fails_later_keeps_its_measurement(self, store: MeasurementStore) -> None:
        items = campaign_items(nets(3), 0)
        run_campaign(Watched(), store, items, protocol=QUICK)
        seen: list[CampaignProgress] = []
        result = run_campaign(
            Watched(failing=[items[0].label]), store, items, protocol=QUICK, passes=2, on_progress=seen.append
        )
        assert (result.models, result.failed) == (3, 0)
        assert seen[-1].done == seen[-1].total == 3


class TestItems:
    def test_beside_few_nets_no_operators_are_measured(self) -> None:
        assert default_operators(FEW_NETS) == 0
        assert default_operators(FEW_NETS + 1) == DEFAULT_OPERATORS

    def test_equal_nets_are_one_item(self) -> None:
        graph = small_net()
        assert [item.label for item in campaign_items([graph, small_net(), small_net(4)], 0)] == [
            graph_digest(graph),
            graph_digest(small_net(4)),
        ]

    def test_operators_are_distinct_and_from_the_nets(self) -> None:
        graphs = nets()
        operators = [item.graph for item in campaign_items(graphs, 1000) if item.source == "operator"]
        contained = {operator.signature: operator for graph in graphs for operator in graph.operators}
        assert {graph.operators[0].signature for graph in operators} == set(contained)
        assert len(operators) == len(contained)

    def test_limit_keeps_the_costliest_and_each_family(self) -> None:
        graph = small_net()
        limited = [item.graph for item in campaign_items([graph], 6) if item.source == "operator"]
        assert len(limited) == 6
        assert single_operator(graph.operators[8]) in limited  # the transposed convolution is most of the net
        assert len({graph.operators[0].kind for graph in limited}) >= 3

    def test_a_cheap_family_has_its_place_among_costlier_operators(self) -> None:
        shape, widths = (1, 32, 16, 16), range(32, 27, -1)
        shapes = [shape, *((1, width, 16, 16) for width in widths)]
        costly = [builders.convolution(its, width, kernel=(3, 3)) for its, width in zip(shapes, widths, strict=False)]
        operators = (*costly, builders.global_average_pool(shapes[-1]))
        graph = OperatorGraph(operators, tuple((place - 1,) for place in range(len(operators))), (shape,))
        limited = [item.graph for item in campaign_items([graph], 4) if item.source == "operator"]
        assert len(limited) == 4
        assert single_operator(operators[-1]) in limited
