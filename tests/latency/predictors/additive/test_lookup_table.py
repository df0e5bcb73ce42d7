from __future__ import annotations

import numpy as np
import pytest

from latency.operators import builders
from latency.operators.operator import OperatorGraph
from latency.predictors.additive.lookup_table import LookupTablePredictor
from latseg.testing.predictor_contract import PredictorContract
from latseg.testing.synthetic import log_errors, measured, random_graphs


class TestLookupTableContract(PredictorContract):
    @classmethod
    def make(cls) -> LookupTablePredictor:
        return LookupTablePredictor()


def test_measured_nets_are_looked_up() -> None:
    samples = measured(random_graphs(40, 0), noise=0.0)
    predictor = LookupTablePredictor()
    predictor.fit(samples)
    predicted = [prediction.latency_ms for prediction in predictor.predict([sample.graph for sample in samples])]
    assert np.mean(log_errors(predicted, [sample.latency_ms for sample in samples])) < 0.05


def test_fresh_nets_fall_back_to_regression() -> None:
    predictor = LookupTablePredictor()
    predictor.fit(measured(random_graphs(60, 0)))
    fresh = measured(random_graphs(30, 5), noise=0.0)
    predicted = [prediction.latency_ms for prediction in predictor.predict([sample.graph for sample in fresh])]
    assert np.mean(log_errors(predicted, [sample.latency_ms for sample in fresh])) < 0.1


def test_nets_without_operator_times_will_do() -> None:
    predictor = LookupTablePredictor()
    predictor.fit(measured(random_graphs(60, 0), kernels=False))
    fresh = measured(random_graphs(30, 5), noise=0.0)
    predicted = [prediction.latency_ms for prediction in predictor.predict([sample.graph for sample in fresh])]
    assert np.mean(log_errors(predicted, [sample.latency_ms for sample in fresh])) < 0.25


def test_an_operator_kind_never_measured_is_named_and_costs_something() -> None:
    predictor = LookupTablePredictor()
    predictor.fit(measured(random_graphs(20, 0)))
    shape = (1, 32, 64, 64)
    strange = builders.operator("Einsum", (("equation", "ij"),), (shape,), (shape,), flops=10**7)
    convolution = builders.convolution(shape, 32, kernel=(1, 1), activation="relu")
    graph = OperatorGraph((convolution, strange), ((-1,), (0,)), (shape,))
    prediction = predictor.predict([graph])[0]
    assert prediction.unseen == (1,)
    assert prediction.operators_ms[1] > 0.01 * prediction.latency_ms


def test_a_constant_is_never_negative() -> None:
    from latency.predictors.additive.predictor import _fit_line

    scale, constant = _fit_line(np.array([1.0, 2.0, 3.0]), np.array([0.5, 2.0, 3.5]))
    assert scale > 0
    assert constant >= 0
    assert _fit_line(np.array([1.0, 2.0, 3.0]), np.array([2.5, 4.5, 6.5])) == pytest.approx((2.0, 0.5))
