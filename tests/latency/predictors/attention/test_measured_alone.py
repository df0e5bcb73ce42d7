"""Times of small models: what an operator takes among others comes before what it takes alone."""

from __future__ import annotations

import numpy as np
import pytest

from latency.operators import builders
from latency.operators.operator import Operator, OperatorGraph
from latency.operators.synthesize import single_operator
from latency.predictors.additive.kernel_groups import kernel_groups, kernels_of
from latency.predictors.attention.measured_alone import MeasuredAlone
from latency.predictors.attention.predictor import AttentionPredictor
from latency.predictors.attention.training import TrainingSettings
from latency.predictors.encoding.operator_table import OperatorTable
from latency.sample import KernelTime, LatencySample
from latseg.testing.synthetic import measured, random_graphs

SHAPE = (1, 8, 16, 16)
CONV, RELU = builders.convolution(SHAPE, 8, kernel=(3, 3)), builders.activation("Relu", SHAPE)
POOL = builders.operator("MaxPool", (("kernel_shape", (3, 3)),), (SHAPE,), (SHAPE,))


def alone(operator: Operator, ms: float) -> LatencySample:
    return LatencySample(
        operator.kind, single_operator(operator), 2 * ms, (KernelTime((0,), ms),), single_operator=True
    )


def among(label: str, middle: Operator, *kernels: KernelTime) -> LatencySample:
    graph = OperatorGraph((CONV, middle, CONV), ((-1,), (0,), (1,)), (SHAPE,))
    return LatencySample(label, graph, 1.0, kernels, single_operator=True)


def times(*samples: LatencySample) -> list[float]:
    found = MeasuredAlone.of(samples).ms([POOL, RELU, CONV], np.ones(3, np.bool_))
    return [float(ms) for ms in found]


def test_the_time_among_others_comes_first() -> None:
    found = times(alone(POOL, 0.5), alone(CONV, 0.3), among("a", POOL, KernelTime((1,), 0.1)))
    assert found == pytest.approx([0.1, np.nan, 0.3], nan_ok=True)


def test_a_shared_kernel_is_divided_in_the_ratio_of_the_times_alone() -> None:
    shared = among("a", RELU, KernelTime((0, 1), 0.35))
    assert times(alone(RELU, 0.1), alone(CONV, 0.4), shared) == pytest.approx([np.nan, 0.07, 0.4], nan_ok=True)
    assert times(shared) == pytest.approx([np.nan, 0.175, np.nan], nan_ok=True)
    assert times(alone(CONV, 0.4), shared) == pytest.approx([np.nan, 0.175, 0.4], nan_ok=True)


def test_a_neighbourhood_is_no_net_and_without_kernels_tells_nothing() -> None:
    assert kernels_of(among("a", POOL)) == ()
    assert len(kernels_of(LatencySample("net", among("a", POOL).graph, 1.0))) == 1
    assert times(alone(POOL, 0.5), among("a", POOL)) == pytest.approx([0.5, np.nan, np.nan], nan_ok=True)


def test_kernels_among_others_are_those_of_nets_for_a_regression() -> None:
    samples = [alone(POOL, 0.5), among("a", POOL, KernelTime((1,), 0.1))]
    assert kernel_groups(samples, OperatorTable()).isolated.tolist() == [True, False]


def test_attention_is_not_trained_on_them() -> None:
    graphs, known = random_graphs(20, 0), [alone(POOL, 0.5), alone(CONV, 0.3)]
    found = []
    for samples in (known, [*known, among("a", POOL, KernelTime((1,), 100.0))]):
        predictor = AttentionPredictor(TrainingSettings(width=8, steps=20), members=2)
        predictor.fit([*measured(graphs), *samples])
        found.append([one.latency_ms for one in predictor.predict(graphs)])
    assert found[0] == found[1]


def test_a_predictor_uses_it_for_operators_of_no_net() -> None:
    nets = measured(random_graphs(20, 0))
    graph = OperatorGraph((CONV, POOL, CONV), ((-1,), (0,), (1,)), (SHAPE,))
    predictions = []
    for samples in ([alone(POOL, 0.5)], [alone(POOL, 0.5), among("a", POOL, KernelTime((1,), 0.1))]):
        predictor = AttentionPredictor(TrainingSettings(width=8, steps=20), members=2)
        predictor.fit([*nets, *samples])
        (prediction,) = predictor.predict([graph])
        assert 1 in prediction.isolated
        predictions.append(prediction.operators_ms)
    assert [one[1] for one in predictions] == pytest.approx([0.5, 0.1])
