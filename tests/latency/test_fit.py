from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from devices.device_info import DeviceInfo
from foundation.errors import UserError
from foundation.progress import Progress
from latency.bounded import BoundedPredictor
from latency.fit import BASELINES, FEW_NETS, FitResult, fit_device, split
from latency.fit_summary import read_summary, write_summary
from latency.operators.serialize import graph_digest
from latency.predictors.attention.predictor import AttentionPredictor
from latency.predictors.attention.training import TrainingSettings
from latency.sample import LatencySample
from latseg.testing.synthetic import measured, random_graphs, single_operators

INFO = DeviceInfo("simulated", "none", "none", "1.0", 1, "float32", simulated=True)
GRAPHS = random_graphs(60, 0)
SAMPLES = [*measured(GRAPHS), *single_operators(GRAPHS, 12, 1)]
MANY = measured(random_graphs(FEW_NETS + 1, 3))
"""Nets of which attention is fitted only, which is quick."""
PROGRESS: list[Progress] = []


@pytest.fixture(scope="module")
def result() -> FitResult:
    settings = TrainingSettings(width=32, steps=300)
    return fit_device(SAMPLES, INFO, seed=1, members=3, settings=settings, on_progress=PROGRESS.append)


def test_all_predictors_are_scored_on_the_same_held_out_nets(result: FitResult) -> None:
    assert set(result.summary.predictors) == {
        "arbitrated",
        "attention",
        "lookup_table",
        "boosted_trees",
        "operator_counts",
    }
    assert (result.summary.test_models, result.summary.training_models) == (12, 48)
    assert result.summary.predictors["attention"].spearman > 0.95
    assert result.summary.predictors["attention"].mape_percent < result.summary.predictors["lookup_table"].mape_percent


def test_the_table_of_test_nets_shows_measured_predicted_and_bound(result: FitResult) -> None:
    measured_ms = [row.measured_ms for row in result.summary.test_table]
    assert measured_ms == sorted(measured_ms)
    assert all(row.upper_ms >= row.predicted_ms > 0 for row in result.summary.test_table)
    within = [row.measured_ms <= row.upper_ms for row in result.summary.test_table]
    assert result.summary.coverage == pytest.approx(sum(within) / 12)
    assert result.summary.coverage > 0.7
    ratios = [row.upper_ms / row.measured_ms for row in result.summary.test_table]
    assert result.summary.bound_ratio == pytest.approx(sum(ratios) / 12)


def test_what_is_handed_back_learns_from_all_nets_and_is_calibrated_out_of_fold(result: FitResult) -> None:
    assert result.predictor.calibration.held_out.count == 60
    assert {row.label for row in result.summary.test_table} <= set(result.predictor.predictor.out_of_fold)
    assert result.predictor.learned == {graph_digest(graph) for graph in GRAPHS}


def test_progress_is_reported_to_the_end(result: FitResult) -> None:
    assert PROGRESS[0] == Progress("training nets", 1, 900)
    assert (PROGRESS[-1].stage, PROGRESS[-1].done) == ("all nets", PROGRESS[-1].total)
    assert "mean error" in PROGRESS[-1].note


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


def quick(samples: list[LatencySample] = MANY, **changed: object) -> FitResult:
    return fit_device(samples, INFO, **{"settings": TrainingSettings(width=8, steps=5), "members": 2, **changed})


def test_of_many_nets_attention_is_handed_over_and_nothing_else_is_fitted() -> None:
    result = quick()
    assert isinstance(result.predictor.predictor, AttentionPredictor)
    assert result.summary.handed_over == "attention"
    assert list(result.summary.predictors) == ["attention", "operator_counts"]
    assert result.predictor.calibration.ratios == tuple(result.predictor.predictor.out_of_fold.values())
    few = quick(MANY[:FEW_NETS])
    assert few.summary.handed_over == "arbitrated"


def test_compare_scores_every_baseline() -> None:
    scores = quick(compare=True).summary.predictors
    assert set(scores) == {"attention", "operator_counts", *BASELINES}


def test_coverage_is_that_of_the_bound_and_not_of_the_prediction() -> None:
    summary = quick(alpha=0.5).summary
    within = [row.measured_ms <= row.upper_ms for row in summary.test_table]
    assert 0 < sum(within) < len(within), "or the test shows nothing"
    assert summary.coverage == pytest.approx(sum(within) / len(within))


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 3},
        {"test_fraction": 0.4},
        {"alpha": 0.5},
        {"members": 3},
        {"settings": TrainingSettings(width=8, steps=6)},
        {"split_conformal": True},
    ],
)
def test_every_option_of_a_fit_changes_its_bounds(changed: dict[str, object]) -> None:
    def bounds(result: FitResult) -> list[float]:
        return [row.upper_ms for row in result.summary.test_table]

    assert bounds(quick(**changed)) != bounds(quick())


def test_threads_are_those_of_torch_while_it_trains() -> None:
    import torch

    seen: set[int] = set()
    quick(threads=2, on_progress=lambda _: seen.add(torch.get_num_threads()))
    assert seen == {2}


def test_the_predictor_and_its_weights_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="latency"):
        quick(SAMPLES[:12])
    assert "arbitrated is handed over" in caplog.text
    assert "weights of the predictors: attention 0." in caplog.text


def test_the_summary_in_its_file(result: FitResult, tmp_path: Path) -> None:
    write_summary(tmp_path, result.summary)
    assert read_summary(tmp_path) == result.summary
    path = tmp_path / "fit.json"
    document = json.loads(path.read_text())
    assert document["slack"] == result.summary.bound_ratio
    del document["handed_over"], document["sha256"]  # as older versions wrote it
    path.write_text(json.dumps(document))
    assert read_summary(tmp_path) == result.summary
    path.write_text("{")
    with pytest.raises(UserError, match="latseg fit"):
        read_summary(tmp_path)


@pytest.mark.parametrize("count", [10, 11, 13])
@pytest.mark.parametrize("test_fraction", [0.2, 0.5])
def test_ten_nets_are_enough(count: int, test_fraction: float) -> None:
    settings = TrainingSettings(width=16, steps=5)
    samples = measured(GRAPHS[:count])
    result = fit_device(samples, INFO, settings=settings, members=2, test_fraction=test_fraction)
    assert result.summary.test_models + result.summary.training_models == count
    assert result.summary.test_models >= 2
    assert result.predictor.calibration.held_out.count == count


def test_nine_nets_are_too_few() -> None:
    with pytest.raises(UserError, match="got 9; expected at least 10"):
        fit_device(measured(GRAPHS[:9]), INFO)


def test_split_conformal_trains_on_no_net_that_calibrates(result: FitResult) -> None:
    settings = TrainingSettings(steps=60)
    found = fit_device(SAMPLES, INFO, seed=1, members=2, settings=settings, split_conformal=True)
    calibration = found.predictor.calibration
    assert calibration.held_out.count == found.summary.test_models == 12
    tested = {row.label: row for row in found.summary.test_table}
    graphs = {sample.label: sample.graph for sample in SAMPLES}
    assert not {graph_digest(graphs[label]) for label in tested} & found.predictor.learned
    predictions = found.predictor.predict([graphs[label] for label in tested])
    for row, one in zip(tested.values(), predictions, strict=True):
        assert row.predicted_ms == pytest.approx(one.latency_ms)
    ratios = sorted(row.measured_ms / row.predicted_ms for row in found.summary.test_table)
    assert calibration.factor == pytest.approx(max(1.0, ratios[-1])), "the twelfth of 13 (1 - .1) = 11.7"
    assert found.summary.coverage == pytest.approx(11 / 12, abs=1 / 12), "each by the bound of the eleven others"
    assert result.predictor.calibration.held_out.count == 60
