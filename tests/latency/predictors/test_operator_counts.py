from random import Random

import pytest

from latency.operators import builders
from latency.operators.operator import OperatorGraph
from latency.predictors.operator_counts import OperatorCountsPredictor
from latency.sample import LatencySample
from tests.contracts.predictor_contract import PredictorContract

SHAPE = (1, 8, 16, 16)
COSTS = {"convolution": 0.4, "pool": 0.1}


class TestOperatorCountsContract(PredictorContract):
    @classmethod
    def make(cls) -> OperatorCountsPredictor:
        return OperatorCountsPredictor()


def chain(names: list[str]) -> OperatorGraph:
    made = {
        "convolution": builders.convolution(SHAPE, 8, kernel=(3, 3)),
        "pool": builders.elementwise("Add", (SHAPE, SHAPE)),
    }
    inputs = tuple((position - 1,) * len(made[name].input_shapes) for position, name in enumerate(names))
    return OperatorGraph(tuple(made[name] for name in names), inputs, (SHAPE,))


def test_costs_of_an_additive_device_are_found_exactly() -> None:
    random = Random(0)
    nets = [[random.choice(list(COSTS)) for _ in range(random.randint(2, 9))] for _ in range(20)]
    samples = [
        LatencySample(str(number), chain(names), 0.05 + sum(COSTS[name] for name in names), ())
        for number, names in enumerate(nets)
    ]
    predictor = OperatorCountsPredictor()
    predictor.fit(samples)
    (prediction,) = predictor.predict([chain(["convolution"] * 30)])
    assert prediction.latency_ms == pytest.approx(0.05 + 30 * 0.4, rel=0.01)
