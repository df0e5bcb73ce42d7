"""Convolutions that read fewer channels than a block of a blocked layout."""

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

CHANNELS = (4, 6, 12, 20, 24, 36, 48)
BLOCK = 8


def operator_ms(operator: Operator) -> float:
    """Ten times as fast where the input has fewer channels than a block."""
    return operator.flops / 1e7 / (10 if operator.input_shapes[0][1] < BLOCK else 1)


def sample(seed: int) -> LatencySample:
    """A chain of pointwise convolutions."""
    random = Random(seed)
    size = random.choice((16, 24, 32, 40))
    channels = [random.choice(CHANNELS) for _ in range(6)]
    channels[2] = random.choice(CHANNELS[:2]) if random.random() < 0.3 else channels[2]
    operators = tuple(
        builders.convolution((1, before, size, size), after, kernel=(1, 1))
        for before, after in itertools.pairwise(channels)
    )
    graph = OperatorGraph(operators, tuple((place - 1,) for place in range(5)), ((1, channels[0], size, size),))
    kernels = tuple(KernelTime((place,), operator_ms(operator)) for place, operator in enumerate(operators))
    return LatencySample(str(seed), graph, 0.001 + sum(kernel.ms for kernel in kernels), kernels)


@pytest.mark.parametrize(("channels", "below"), [(4, (1.0, 1.0)), (8, (0.0, 1.0)), (16, (0.0, 0.0))])
def test_inputs_below_a_block_are_told(channels: int, below: tuple[float, float]) -> None:
    operator = builders.convolution((1, channels, 8, 8), 16, kernel=(1, 1))
    numbers = dict(zip(NUMERIC_NAMES, features(operator).numeric, strict=True))
    assert (numbers["in_below_8"], numbers["in_below_16"]) == below


def test_their_time_is_learned_from_few_examples() -> None:
    predictor = AttentionPredictor(TrainingSettings(steps=200), members=2)
    predictor.fit([sample(seed) for seed in range(60)])
    errors = []
    for fresh in map(sample, range(1000, 1060)):
        predicted = predictor.predict([fresh.graph])[0].operators_ms
        for ms, operator in zip(predicted, fresh.graph.operators, strict=True):
            if operator.input_shapes[0][1] < BLOCK:
                errors.append(abs(ms / operator_ms(operator) - 1))
    assert sum(errors) / len(errors) < 0.12
