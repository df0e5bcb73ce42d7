"""The predictors that correct an additive base by a network that sees the net as a whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from latency.predictors.additive.lookup_table import LookupTablePredictor
from latency.predictors.baselines.net_correction import (
    GraphConvolutionPredictor,
    NetCorrectionPredictor,
    RecurrentPredictor,
)
from latency.sample import LatencySample
from latseg.testing.predictor_contract import PredictorContract
from latseg.testing.synthetic import log_errors, measured, random_graphs


class TestRecurrentContract(PredictorContract):
    @classmethod
    def make(cls) -> RecurrentPredictor:
        return RecurrentPredictor(epochs=5)


class TestGraphConvolutionContract(PredictorContract):
    @classmethod
    def make(cls) -> GraphConvolutionPredictor:
        return GraphConvolutionPredictor(epochs=5)


def slow_with_gates(sample: LatencySample) -> LatencySample:
    """A law that no sum of operators can express: a gate anywhere makes everything slow."""
    gated = any(operator.kind == "GlobalAveragePool" for operator in sample.graph.operators)
    return replace(sample, latency_ms=sample.latency_ms * (1.5 if gated else 1.0), kernels=())


@pytest.mark.parametrize("kind", [RecurrentPredictor, GraphConvolutionPredictor])
def test_what_is_not_additive_is_learned(kind: type[NetCorrectionPredictor]) -> None:
    samples = [slow_with_gates(sample) for sample in measured(random_graphs(80, 0))]
    fresh = [slow_with_gates(sample) for sample in measured(random_graphs(30, 5), noise=0.0)]
    errors = []
    for predictor in (kind(epochs=40), LookupTablePredictor()):
        predictor.fit(samples)
        predicted = [one.latency_ms for one in predictor.predict([sample.graph for sample in fresh])]
        errors.append(np.mean(log_errors(predicted, [sample.latency_ms for sample in fresh])))
    assert errors[0] < errors[1]
