from collections.abc import Sequence
from random import Random

import pytest

from latency.operators import builders
from latency.operators.operator import OperatorGraph
from latency.predictors.additive.operator_counts import OperatorCountsPredictor, fitted_counts
from latency.sample import LatencySample
from latseg.testing.predictor_contract import PredictorContract

SHAPE = (1, 8, 16, 16)
COSTS = {"convolution": 0.4, "pool": 0.1}


class TestOperatorCountsContract(PredictorContract):
    @classmethod
    def make(cls) -> OperatorCountsPredictor:
        return OperatorCountsPredictor()


class TestLiveOperatorCountsContract(PredictorContract):
    @classmethod
    def make(cls) -> OperatorCountsPredictor:
        return OperatorCountsPredictor(live_only=True)


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


def with_dead_ends(alive: Sequence[str], dead: Sequence[str]) -> OperatorGraph:
    """A chain whose end is the output, and another that is not read."""
    first, second = chain(list(alive)), chain(list(dead))
    moved = tuple(tuple(p + len(alive) if p >= 0 else p for p in each) for each in second.inputs)
    return OperatorGraph(
        (*first.operators, *second.operators), (*first.inputs, *moved), (SHAPE,), outputs=(len(alive) - 1,)
    )


@pytest.mark.parametrize("skips", [False, True])
def test_whether_a_device_skips_dead_operators_is_found_out(skips: bool) -> None:
    random = Random(1)

    def draw() -> list[str]:
        return [random.choice(list(COSTS)) for _ in range(random.randint(1, 6))]

    samples = []
    for number in range(12):
        alive, dead = draw(), draw()
        ms = sum(COSTS[name] for name in ([*alive] if skips else [*alive, *dead]))
        samples.append(LatencySample(str(number), with_dead_ends(alive, dead), ms))
    predictor, left_out = fitted_counts(samples)
    assert left_out == pytest.approx([sample.latency_ms for sample in samples], rel=0.02)
    (prediction,) = predictor.predict([with_dead_ends(["convolution"], ["pool"] * 9)])
    assert prediction.latency_ms == pytest.approx(0.4 if skips else 1.3, rel=0.02)
    assert prediction.unseen == ()
    restored = OperatorCountsPredictor()
    restored.restore(*predictor.document())
    assert restored.predict([samples[0].graph]) == predictor.predict([samples[0].graph])
