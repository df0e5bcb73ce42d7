"""Numbers of positions that are whole tiles of a matrix kernel."""

from __future__ import annotations

import itertools
from random import Random

import pytest

from latency.operators import builders
from latency.operators.operator import Operator, OperatorGraph
from latency.predictors.attention.predictor import AttentionPredictor
from latency.predictors.attention.training import TrainingSettings
from latency.predictors.encoding.features import NUMERIC_NAMES, features
from latency.sample import KernelTime, LatencySample

TILE = 24
SIDES = (16, 20, 24, 28, 32, 36, 40, 44, 48)


def operator_ms(operator: Operator) -> float:
    """Four times as slow where the positions are whole tiles."""
    _, _, height, width = operator.output_shapes[0]
    return operator.flops / 1e7 * (4 if height * width % TILE == 0 else 1)


def sample(seed: int) -> LatencySample:
    """A chain of pointwise convolutions."""
    random = Random(seed)
    height, width = random.choice(SIDES), random.choice(SIDES)
    channels = [random.choice((16, 24, 32, 48)) for _ in range(4)]
    operators = tuple(
        builders.convolution((1, before, height, width), after, kernel=(1, 1))
        for before, after in itertools.pairwise(channels)
    )
    graph = OperatorGraph(operators, tuple((place - 1,) for place in range(3)), ((1, channels[0], height, width),))
    kernels = tuple(KernelTime((place,), operator_ms(operator)) for place, operator in enumerate(operators))
    return LatencySample(str(seed), graph, 0.001 + sum(kernel.ms for kernel in kernels), kernels)


@pytest.mark.parametrize(("sides", "tiles"), [((12, 10), (1.0, 0.0)), ((16, 18), (1.0, 1.0)), ((20, 20), (0.0, 0.0))])
def test_whole_tiles_are_told(sides: tuple[int, int], tiles: tuple[float, float]) -> None:
    operator = builders.convolution((1, 8, *sides), 16, kernel=(3, 3), strides=(2, 2))
    numbers = dict(zip(NUMERIC_NAMES, features(operator).numeric, strict=True))
    assert (numbers["tiles_in_24"], numbers["tiles_out_24"]) == tiles


def test_their_time_is_learned() -> None:
    predictor = AttentionPredictor(TrainingSettings(steps=200), members=2)
    predictor.fit([sample(seed) for seed in range(60)])
    fresh = [sample(seed) for seed in range(1000, 1060)]
    predicted = predictor.predict([one.graph for one in fresh])
    errors = [abs(guess.latency_ms / one.latency_ms - 1) for guess, one in zip(predicted, fresh, strict=True)]
    assert sum(errors) / len(errors) < 0.12
