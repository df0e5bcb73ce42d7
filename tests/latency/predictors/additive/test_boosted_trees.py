from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from random import Random

import numpy as np
import pytest

from latency.operators import builders
from latency.operators.operator import OperatorGraph
from latency.predictors.additive import boosted_trees
from latency.predictors.additive.boosted_trees import BoostedTreesPredictor
from latency.predictors.additive.lookup_table import LookupTablePredictor
from latency.predictors.encoding.liveness import liveness
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


SHAPE = (1, 8, 16, 16)
CONVOLUTION = builders.convolution(SHAPE, 8, kernel=(3, 3))
POOLING = builders.operator("AveragePool", (("kernel", (3, 3)), ("strides", (1, 1))), (SHAPE,), (SHAPE,))


def shuffled(random: Random) -> LatencySample:
    """The same operators in another order; each convolution that follows a convolution costs as much as five others."""
    operators = [CONVOLUTION] * 6 + [POOLING] * 6
    random.shuffle(operators)
    graph = OperatorGraph(tuple(operators), tuple((place - 1,) for place in range(12)), (SHAPE,))
    pairs = sum(first is second is CONVOLUTION for first, second in pairwise(operators))
    return LatencySample("", graph, 1.0 + 0.5 * pairs)


def half_dead(random: Random) -> LatencySample:
    """Eight branches of the image, each a sum of two others; those that the output does not depend on cost nothing."""
    add = builders.elementwise("Add", (SHAPE, SHAPE))
    inputs: list[tuple[int, ...]] = [(-1,)] * 4 + [tuple(random.sample(range(4 + n), 2)) for n in range(12)]
    graph = OperatorGraph((CONVOLUTION,) * 4 + (add,) * 12, tuple(inputs), (SHAPE,), outputs=(random.randint(4, 15),))
    return LatencySample("", graph, 0.1 + 0.5 * float(liveness(graph)[:, 1].sum()))


@pytest.mark.parametrize("net", [shuffled, half_dead])
def test_topology_is_learned(net: Callable[[Random], LatencySample], monkeypatch: pytest.MonkeyPatch) -> None:
    """All nets have the same operators: only edges, or what the output depends on, tell them apart."""
    random = Random(0)
    samples = [replace(net(random), label=str(number)) for number in range(90)]

    def error() -> float:
        predictor = BoostedTreesPredictor()
        predictor.fit(samples[:60])
        predicted = [one.latency_ms for one in predictor.predict([sample.graph for sample in samples[60:]])]
        return float(np.mean(log_errors(predicted, [sample.latency_ms for sample in samples[60:]])))

    assert error() < 0.05
    monkeypatch.setattr(boosted_trees, "_TOPOLOGY", ("constant",))
    assert error() > 0.1, "or the test shows nothing"
