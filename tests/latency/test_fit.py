from __future__ import annotations

from pathlib import Path

import pytest

from devices.device_info import DeviceInfo
from foundation.errors import UserError
from latency.bounded import BoundedPredictor
from latency.fit import FitResult, fit_device, split
from latency.operators.serialize import graph_digest
from latency.predictors.attention.training import TrainingSettings
from latseg.testing.synthetic import measured, random_graphs, single_operators

INFO = DeviceInfo("simulated", "none", "none", "1.0", 1, "float32", simulated=True)
GRAPHS = random_graphs(60, 0)
SAMPLES = [*measured(GRAPHS), *single_operators(GRAPHS, 12, 1)]
TOLD: list[tuple[str, int, int, float | None]] = []


@pytest.fixture(scope="module")
def result() -> FitResult:
    settings = TrainingSettings(width=32, steps=300)
    return fit_device(SAMPLES, INFO, seed=1, members=3, settings=settings, on_progress=lambda *step: TOLD.append(step))


def test_both_predictors_are_scored_on_the_same_held_out_nets(result: FitResult) -> None:
    assert set(result.scores) == {"arbitrated", "attention", "lookup_table", "boosted_trees", "operator_counts"}
    assert (result.test_models, result.training_models) == (12, 48)
    assert result.scores["attention"].spearman > 0.95
    assert result.scores["attention"].mape_percent < result.scores["lookup_table"].mape_percent


def test_the_table_of_test_nets_shows_measured_predicted_and_bound(result: FitResult) -> None:
    measured_ms = [row.measured_ms for row in result.test_table]
    assert measured_ms == sorted(measured_ms)
    assert all(row.upper_ms >= row.predicted_ms > 0 for row in result.test_table)
    within = [row.measured_ms <= row.upper_ms for row in result.test_table]
    assert result.coverage == pytest.approx(sum(within) / 12)
    assert result.coverage > 0.7


def test_what_is_handed_back_learns_from_all_nets_and_is_calibrated_out_of_fold(result: FitResult) -> None:
    assert result.predictor.calibration.count == 60
    assert {row.label for row in result.test_table} <= set(result.predictor.predictor.out_of_fold)
    assert result.predictor.learned == {graph_digest(graph) for graph in GRAPHS}


def test_progress_is_told_to_the_end(result: FitResult) -> None:
    assert TOLD[0] == ("training nets", 1, 900, None)
    stage, done, total, error = TOLD[-1]
    assert (stage, done) == ("all nets", total)
    assert error is not None


def test_the_result_can_be_saved(result: FitResult, tmp_path: Path) -> None:
    result.predictor.save(tmp_path)
    graphs = random_graphs(6, 4)
    first, second = result.predictor.predict(graphs), BoundedPredictor.load(tmp_path).predict(graphs)
    assert [p.upper_ms for p in first] == pytest.approx([p.upper_ms for p in second], rel=1e-6)


def test_the_split_is_stratified_and_keeps_single_operators_for_training() -> None:
    training, test = split(SAMPLES, 0.2, seed=0)
    assert sum(sample.single_operator for sample in training) == 12
    assert not any(sample.single_operator for sample in test)
    order = sorted(sample.latency_ms for sample in SAMPLES if not sample.single_operator)
    fifths = [order[start : start + 20] for start in range(0, 60, 20)]
    assert all(sum(sample.latency_ms in fifth for sample in test) == 4 for fifth in fifths)


def test_too_few_nets_are_refused_with_the_command_that_helps() -> None:
    with pytest.raises(UserError, match="latseg profile --models"):
        fit_device(measured(GRAPHS[:9]), INFO)


@pytest.mark.parametrize("count", [10, 11, 13])
@pytest.mark.parametrize("test_fraction", [0.2, 0.5])
def test_ten_nets_are_enough(count: int, test_fraction: float) -> None:
    settings = TrainingSettings(width=16, steps=5)
    samples = measured(GRAPHS[:count])
    result = fit_device(samples, INFO, settings=settings, members=2, test_fraction=test_fraction)
    assert result.test_models + result.training_models == count
    assert result.test_models >= 2
    assert result.predictor.calibration.count == count


def test_nine_nets_are_too_few() -> None:
    with pytest.raises(UserError, match="got 9; expected at least 10"):
        fit_device(measured(GRAPHS[:9]), INFO)


def test_split_conformal_trains_on_no_net_that_calibrates(result: FitResult) -> None:
    settings = TrainingSettings(steps=60)
    found = fit_device(SAMPLES, INFO, seed=1, members=2, settings=settings, split_conformal=True)
    calibration = found.predictor.calibration
    assert calibration.count == found.test_models == 12
    tested = {row.label: row for row in found.test_table}
    graphs = {sample.label: sample.graph for sample in SAMPLES}
    assert not {graph_digest(graphs[label]) for label in tested} & found.predictor.learned
    told = found.predictor.predict([graphs[label] for label in tested])
    for row, one in zip(tested.values(), told, strict=True):
        assert row.predicted_ms == pytest.approx(one.latency_ms)
    ratios = sorted(row.measured_ms / row.predicted_ms for row in found.test_table)
    assert calibration.factor == pytest.approx(max(1.0, ratios[-1])), "the twelfth of 13 (1 - .1) = 11.7"
    assert found.coverage == pytest.approx(11 / 12, abs=1 / 12), "each by the bound of the eleven others"
    assert result.predictor.calibration.count == 60
