from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from foundation.errors import UserError
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


def test_held_out_ratios_are_of_nets_not_learned_from() -> None:
    """A net whose latency contradicts all others is not explained by the parts that have not seen it."""
    samples = measured(random_graphs(30, 0), noise=0.0)
    liar = replace(samples[7], latency_ms=5 * samples[7].latency_ms, kernels=())
    predictor = quick()
    predictor.fit([*samples[:7], liar, *samples[8:]])
    assert len(predictor.out_of_fold) == 30
    assert predictor.out_of_fold[liar.label] > 2.5


def test_weights_of_other_members_are_refused(tmp_path: Path) -> None:
    predictor = quick()
    predictor.fit(measured(random_graphs(20, 0)))
    predictor.weights["stranger"] = predictor.weights.pop("boosted_trees")
    predictor.save(tmp_path)
    with pytest.raises(UserError, match="weights of other members"):
        ArbitratedPredictor.load(tmp_path)
