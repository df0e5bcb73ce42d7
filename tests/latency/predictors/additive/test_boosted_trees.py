from dataclasses import replace

import numpy as np

from latency.predictors.additive.boosted_trees import BoostedTreesPredictor
from latency.predictors.additive.lookup_table import LookupTablePredictor
from latency.sample import LatencySample
from latseg.testing.predictor_contract import PredictorContract
from latseg.testing.synthetic import log_errors, measured, random_graphs


class TestBoostedTreesContract(PredictorContract):
    @classmethod
    def make(cls) -> BoostedTreesPredictor:
        return BoostedTreesPredictor()


def slow_when_long(sample: LatencySample) -> LatencySample:
    """A law that no sum can express."""
    return replace(
        sample, latency_ms=sample.latency_ms * (1.5 if len(sample.graph.operators) > 20 else 1.0), kernels=()
    )


def test_what_is_not_additive_is_learned() -> None:
    samples = [slow_when_long(sample) for sample in measured(random_graphs(80, 0))]
    fresh = [slow_when_long(sample) for sample in measured(random_graphs(30, 5), noise=0.0)]
    errors = {}
    for predictor in (BoostedTreesPredictor(), LookupTablePredictor()):
        predictor.fit(samples)
        predicted = [one.latency_ms for one in predictor.predict([sample.graph for sample in fresh])]
        errors[predictor.name] = np.mean(log_errors(predicted, [sample.latency_ms for sample in fresh]))
    assert errors["boosted_trees"] < errors["lookup_table"]
