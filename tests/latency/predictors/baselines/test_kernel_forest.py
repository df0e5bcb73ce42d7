import numpy as np

from latency.predictors.baselines.kernel_forest import KernelForestPredictor
from latseg.testing.predictor_contract import PredictorContract
from latseg.testing.synthetic import log_errors, measured, random_graphs


class TestKernelForestContract(PredictorContract):
    @classmethod
    def make(cls) -> KernelForestPredictor:
        return KernelForestPredictor()


def test_fresh_nets() -> None:
    predictor = KernelForestPredictor()
    predictor.fit(measured(random_graphs(60, 0)))
    fresh = measured(random_graphs(30, 5), noise=0.0)
    predicted = [prediction.latency_ms for prediction in predictor.predict([sample.graph for sample in fresh])]
    assert np.mean(log_errors(predicted, [sample.latency_ms for sample in fresh])) < 0.12
