"""Nets measured near the budget before a search: what they prove, and that none is measured twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from foundation.errors import DeviceUnavailableError, UserError
from foundation.progress import Progress
from latency.bounded import BoundedPredictor
from latency.store import MeasurementStore
from search.constraints.budgets import Budgets, LatencyBudget, ParameterBudget
from search.constraints.feasibility import feasibility
from search.constraints.infeasible import InfeasibleError, require_feasible
from search.constraints.near_budget import STAGE, calibrate_near_budget
from search.constraints.near_budget_record import NearBudget, read_near_budget, write_near_budget
from search.constraints.near_nets import NEAR, sample_near_nets
from search.spaces.portrait.space import PortraitSpace
from tests.search.constraints.near_budget_device import BUDGET_MS, FormulaDevice, bounded, true_ms

SPACE = PortraitSpace(sizes=((128, 128),))
SIZE = ParameterBudget(400_000)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MeasurementStore]:
    with MeasurementStore(tmp_path / "measurements.sqlite") as opened:
        yield opened


def budgets(predictor: BoundedPredictor | None = None, *, ms: float = BUDGET_MS) -> Budgets:
    return Budgets(SIZE, (LatencyBudget("toy", ms, predictor or bounded()),))


def calibrated(
    store: MeasurementStore, device: FormulaDevice, before: Budgets | None = None, count: int = 10, **options: object
) -> tuple[BoundedPredictor, NearBudget]:
    after, (record,) = calibrate_near_budget(
        SPACE,
        before or budgets(),
        {"toy": device},
        store,
        count=count,
        **options,  # type: ignore[arg-type]
    )
    predictor = after.latencies[0].predictor
    assert isinstance(predictor, BoundedPredictor)
    return predictor, record


def near_coverage(predictor: BoundedPredictor) -> float:
    """Share of other random nets near the budget whose truth lies within the bound."""
    nets, _ = sample_near_nets(
        SPACE, LatencyBudget("toy", BUDGET_MS, predictor), 200, Random("others"), parameters=SIZE
    )
    graphs = [net.graph for net in nets]
    bounds = [prediction.upper_ms for prediction in predictor.predict(graphs)]
    return sum(true_ms(graph) <= upper for graph, upper in zip(graphs, bounds, strict=True)) / len(graphs)


def test_a_predictor_that_fails_near_the_budget_is_bounded_there_afterwards(store: MeasurementStore) -> None:
    assert near_coverage(bounded()) < 0.1
    predictor, record = calibrated(store, FormulaDevice())
    assert near_coverage(predictor) > 0.85
    assert record.factor_before < 1.1 < 1.2 < record.factor_after < 1.35
    assert f"from {record.factor_before:.3f} to {record.factor_after:.3f} times" in record.statement
    assert "on 10 random nets near the budget at 90 %" in record.statement


def test_the_share_that_is_covered_is_the_one_asked_for(tmp_path: Path) -> None:
    shares = []
    for seed in range(6):
        with MeasurementStore(tmp_path / f"{seed}.sqlite") as store:
            shares.append(near_coverage(calibrated(store, FormulaDevice(), seed=seed)[0]))
    assert len(set(shares)) > 1, "other seeds draw other nets"
    assert sum(shares) / len(shares) > 0.85


def test_a_device_that_has_become_slower_is_noticed(store: MeasurementStore) -> None:
    sound = bounded(near=1.0)
    assert calibrated(store, FormulaDevice(slower=1.15), budgets(sound))[1].factor_after > 1.15


def test_a_predictor_that_is_too_high_near_the_budget_gives_way_there(store: MeasurementStore) -> None:
    cautious = bounded(near=1.25)
    predictor, record = calibrated(store, FormulaDevice(), budgets(cautious))
    assert 1 <= record.factor_after == predictor.calibration.factor < record.factor_before
    assert f"narrows the bound from {record.factor_before:.3f} to {record.factor_after:.3f}" in record.statement
    assert near_coverage(predictor) > 0.85


def test_a_good_predictor_keeps_its_bound(store: MeasurementStore) -> None:
    _, record = calibrated(store, FormulaDevice(), budgets(bounded(near=1.25)), count=5)
    assert record.factor_after == record.factor_before
    assert "leave the bound" in record.statement


def test_nets_near_the_budget_are_within_range_and_size_and_were_not_learned_from() -> None:
    predictor = bounded()
    budget = LatencyBudget("toy", BUDGET_MS, predictor)
    first, examined = sample_near_nets(SPACE, budget, 20, Random(0), parameters=ParameterBudget(150_000))
    assert len({net.label for net in first}) == 20
    assert examined >= 250
    for net in first:
        assert NEAR[0] * BUDGET_MS <= net.predicted_ms <= NEAR[1] * BUDGET_MS
        assert sum(operator.parameters for operator in net.graph.operators) <= 150_000
    learned = {net.label for net in first[:15]}
    others, _ = sample_near_nets(SPACE, budget, 20, Random(0), parameters=ParameterBudget(150_000), fitted=learned)
    assert not learned & {net.label for net in others}


def test_near_nets_are_a_random_subset_of_those_found() -> None:
    """A space samples in the order of its strata; the first nets found would be no random ones."""
    predictor = bounded()
    budget = LatencyBudget("toy", BUDGET_MS, predictor)
    differing = 0
    for seed in range(4):
        found, _ = sample_near_nets(SPACE, budget, 3, Random(seed))
        graphs = [SPACE.lower(net) for net in SPACE.sample(250, Random(seed))]
        predicted = [prediction.latency_ms for prediction in predictor.predict(graphs)]
        near = [ms for ms in predicted if NEAR[0] * BUDGET_MS <= ms <= NEAR[1] * BUDGET_MS]
        assert {net.predicted_ms for net in found} <= set(near)
        differing += [net.predicted_ms for net in found] != near[:3]
    assert differing >= 3


def test_what_a_predictor_has_learned_is_not_asked_again(store: MeasurementStore) -> None:
    first = FormulaDevice()
    calibrated(store, first)
    second = FormulaDevice()
    calibrated(store, second, budgets(bounded(learned=frozenset(first.measured))))
    assert len(second.measured) == 10
    assert not set(first.measured) & set(second.measured)


def test_the_next_fit_learns_from_the_nets(store: MeasurementStore) -> None:
    device = FormulaDevice()
    calibrated(store, device)
    samples = store.samples(device.info().fingerprint)
    assert [sample.label for sample in samples] == device.measured
    assert not any(sample.single_operator for sample in samples)


@pytest.mark.parametrize("interrupt_at", [0, 3, 8])
def test_after_an_interruption_nothing_is_measured_twice(tmp_path: Path, interrupt_at: int) -> None:
    with MeasurementStore(tmp_path / "whole.sqlite") as whole:
        expected = calibrated(whole, FormulaDevice())
    with MeasurementStore(tmp_path / "parts.sqlite") as parts:
        interrupted, resumed, again = FormulaDevice(interrupt_at=interrupt_at), FormulaDevice(), FormulaDevice()
        with pytest.raises(KeyboardInterrupt):
            calibrated(parts, interrupted)
        predictor, record = calibrated(parts, resumed)
        assert (predictor.calibration, record) == (expected[0].calibration, expected[1])
        assert len(interrupted.measured) == interrupt_at
        assert len({*interrupted.measured, *resumed.measured}) == len(interrupted.measured + resumed.measured) == 10
        assert calibrated(parts, again)[1] == record
        assert again.measured == []


def test_a_later_measurement_of_a_net_does_not_move_the_calibration(store: MeasurementStore) -> None:
    device = FormulaDevice()
    _, record = calibrated(store, device)
    (old,) = store.measurements(device.info().fingerprint, label=device.measured[0])
    slow = replace(old.measurement, latency_ms=3 * old.measurement.latency_ms)
    store.add_measurement(slow, old.graph, source="campaign")
    assert calibrated(store, FormulaDevice())[1] == record


def test_nets_that_fail_are_left_out_and_named(store: MeasurementStore) -> None:
    predictor, record = calibrated(store, FormulaDevice(failing=(2, 5)))
    assert (record.wanted, record.nets, record.failed) == (10, 8, 2)
    assert "2 more could not be measured (it crashed)" in record.statement
    assert predictor.calibration.near is not None
    assert not predictor.calibration.near.exact
    assert "fewer than the 9 that 90 % needs; it holds with probability 0.89" in record.statement
    again = FormulaDevice()
    assert calibrated(store, again)[1] == record
    assert again.measured == [], "what failed is not tried again"


def test_where_every_net_fails_the_bound_stays(store: MeasurementStore) -> None:
    before = bounded()
    predictor, record = calibrated(store, FormulaDevice(failing=range(1, 11)), budgets(before))
    assert predictor == before
    assert (record.nets, record.failed, record.ratios) == (0, 10, ())
    assert "none of 10 nets" in record.statement
    assert "it crashed" in record.statement


def test_an_unavailable_device_ends_the_search(store: MeasurementStore) -> None:
    with pytest.raises(DeviceUnavailableError) as refused:
        calibrated(store, FormulaDevice(gone=True))
    assert refused.value.exit_code == 5


@pytest.mark.parametrize("ms", [0.001, 500.0])
def test_where_no_net_lies_near_the_budget_nothing_is_measured(store: MeasurementStore, ms: float) -> None:
    device = FormulaDevice()
    predictor, record = calibrated(store, device, budgets(ms=ms))
    assert device.measured == []
    assert predictor.calibration == bounded().calibration
    assert (record.nets, record.examined) == (0, 500)
    assert "nothing was measured there" in record.statement


def test_more_nets_for_a_smaller_alpha(store: MeasurementStore) -> None:
    few, record = calibrated(store, FormulaDevice(), budgets(bounded(alpha=0.05)))
    assert few.calibration.near is not None
    assert not few.calibration.near.exact
    assert "fewer than the 19 that 95 % needs" in record.statement
    enough, _ = calibrated(store, FormulaDevice(), budgets(bounded(alpha=0.05)), count=19)
    assert enough.calibration.near is not None
    assert enough.calibration.near.exact


def test_a_bound_that_leaves_the_measured_range_says_so(store: MeasurementStore) -> None:
    _, record = calibrated(store, FormulaDevice(slower=1.3))
    assert record.factor_after > 1 / NEAR[0]
    assert "predicted below those measured" in record.statement


def test_a_budget_that_only_the_widened_bound_breaks_is_refused_with_the_reason(store: MeasurementStore) -> None:
    smallest = feasibility(SPACE, budgets(), samples=60).smallest.latency_ms["toy"]
    tight = budgets(ms=3 * smallest)
    found = feasibility(SPACE, tight, samples=60)
    require_feasible(tight, found)
    after, (record,) = calibrate_near_budget(SPACE, tight, {"toy": FormulaDevice(slower=6.0)}, store, count=10)
    assert record.nets > 0
    with pytest.raises(InfeasibleError, match="random nets measured near the budget widened the bound from") as refused:
        require_feasible(after, feasibility(SPACE, after, samples=60))
    assert refused.value.exit_code == 3


def test_the_widening_is_not_blamed_for_what_it_did_not_do(store: MeasurementStore) -> None:
    after, _ = calibrate_near_budget(SPACE, budgets(), {"toy": FormulaDevice(slower=1.2)}, store, count=10)
    tiny = replace(after, parameters=ParameterBudget(10))
    with pytest.raises(InfeasibleError) as refused:
        require_feasible(tiny, feasibility(SPACE, tiny, samples=60))
    assert "widened" not in str(refused.value)
    (wide,) = after.latencies
    hopeless = replace(after, latencies=(replace(wide, maximum_ms=1e-6),))
    with pytest.raises(InfeasibleError) as refused:
        require_feasible(hopeless, feasibility(SPACE, hopeless, samples=60))
    assert "widened" not in str(refused.value)


def test_every_device_is_calibrated_by_itself(store: MeasurementStore) -> None:
    one, two = FormulaDevice(), FormulaDevice(slower=1.2, seed=7)
    latencies = (LatencyBudget("one", BUDGET_MS, bounded(near=1.0)), LatencyBudget("two", 3.0, bounded(near=1.0)))
    told: list[Progress] = []
    after, records = calibrate_near_budget(
        SPACE, Budgets(SIZE, latencies), {"one": one, "two": two}, store, count=9, on_progress=told.append
    )
    assert [record.device for record in records] == ["one", "two"]
    assert records[0].factor_after < 1.1 < records[1].factor_after
    assert (len(one.measured), len(two.measured)) == (9, 9)
    assert [budget.predictor.calibration.factor for budget in after.latencies] == [  # type: ignore[attr-defined]
        record.factor_after for record in records
    ]
    assert {progress.stage for progress in told} == {STAGE}
    assert (told[-1].done, told[-1].total) == (9, 9)
    assert "on two" in told[-1].note


def test_none_asked_for_none_measured(store: MeasurementStore) -> None:
    before = budgets()
    assert calibrate_near_budget(SPACE, before, {"toy": FormulaDevice(gone=True)}, store, count=0) == (before, ())


def test_the_record_is_kept(store: MeasurementStore, tmp_path: Path) -> None:
    path = tmp_path / "near_budget.json"
    assert read_near_budget(path) == ()
    _, record = calibrated(store, FormulaDevice())
    write_near_budget(path, [record])
    assert read_near_budget(path) == (record,)
    path.write_text("[{}]")
    with pytest.raises(UserError, match="--resume"):
        read_near_budget(path)


def test_a_record_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "near_budget.json").mkdir()
    with pytest.raises(UserError, match="Is a directory; expected a file that can be written"):
        write_near_budget(tmp_path / "near_budget.json", [])
