from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from foundation.errors import UserError
from latency.operators.operator import OperatorGraph
from latency.predictor import Prediction
from latency.predictors.additive.boosted_trees import BoostedTreesPredictor
from latency.predictors.additive.lookup_table import LookupTablePredictor
from latency.predictors.arbitration import ArbitratedPredictor
from latency.predictors.attention.predictor import AttentionPredictor
from latency.predictors.attention.training import TrainingSettings
from latseg.testing.predictor_contract import PredictorContract
from latseg.testing.synthetic import log_errors, measured, random_graphs

QUICK = TrainingSettings(steps=60)


def quick() -> ArbitratedPredictor:
    return ArbitratedPredictor(AttentionPredictor(QUICK, members=2))


class TestArbitratedContract(PredictorContract):
    @classmethod
    def make(cls) -> ArbitratedPredictor:
        return quick()


def test_never_much_worse_than_its_best_member() -> None:
    predictor = quick()
    predictor.fit(measured(random_graphs(60, 0)))
    fresh = measured(random_graphs(40, 5), noise=0.0)
    graphs, truth = [sample.graph for sample in fresh], [sample.latency_ms for sample in fresh]

    def error(one: object) -> float:
        return float(np.mean(log_errors([prediction.latency_ms for prediction in one.predict(graphs)], truth)))

    best = min(error(member) for member in predictor._members.values())
    assert error(predictor) < 1.15 * best
    assert sum(predictor.weights.values()) == pytest.approx(1.0)


class FiftyTimes(LookupTablePredictor):
    """Predicts fifty times the latency."""

    name = "fifty_times"

    def predict(self, graphs: Sequence[OperatorGraph]) -> list[Prediction]:
        return [prediction.scaled(50) for prediction in super().predict(graphs)]


def test_weights_follow_the_held_out_errors_and_are_used() -> None:
    attention = AttentionPredictor(QUICK, members=2)
    predictor = ArbitratedPredictor(attention, [LookupTablePredictor, BoostedTreesPredictor, FiftyTimes])
    predictor.fit(measured(random_graphs(12, 0)))
    weights, graphs = predictor.weights, random_graphs(6, 5)
    assert weights["fifty_times"] == min(weights.values()) < 0.01
    assert max(weights.values()) > 1.2 / len(weights)
    logs = {one.name: np.log([p.latency_ms for p in one.predict(graphs)]) for one in predictor.members}
    used = {name: weight for name, weight in weights.items() if weight > 1e-3}
    expected = np.exp(sum(weight * logs[name] for name, weight in used.items()) / sum(used.values()))
    assert [one.latency_ms for one in predictor.predict(graphs)] == pytest.approx(expected)
    assert 0.8 < np.median(list(predictor.out_of_fold.values())) < 1.25


def test_held_out_ratios_are_of_nets_not_trained_on() -> None:
    """A net whose latency contradicts all others is not explained by the parts that were trained without it."""
    samples = measured(random_graphs(30, 0), noise=0.0)
    outlier = replace(samples[7], latency_ms=5 * samples[7].latency_ms, kernels=())
    predictor = quick()
    predictor.fit([*samples[:7], outlier, *samples[8:]])
    assert len(predictor.out_of_fold) == 30
    assert predictor.out_of_fold[outlier.label] > 2.5


def test_weights_of_other_members_are_refused(tmp_path: Path) -> None:
    predictor = quick()
    predictor.fit(measured(random_graphs(20, 0)))
    predictor.weights["unknown"] = predictor.weights.pop("boosted_trees")
    predictor.save(tmp_path)
    with pytest.raises(UserError, match="weights of other members"):
        ArbitratedPredictor.load(tmp_path)
