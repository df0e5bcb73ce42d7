from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from foundation.errors import UserError
from latency.operators import builders
from latency.operators.operator import OperatorGraph
from latency.operators.serialize import graph_digest
from latency.predictor import Prediction
from latency.predictors.encoding.net_groups import NetGroups
from latency.predictors.transfer.source import SourcePredictor
from latency.sample import LatencySample
from latseg.testing.synthetic import measured, random_graphs

GROUPS = NetGroups.learn(random_graphs(60, 0))


def fitted(samples: list[LatencySample]) -> SourcePredictor:
    return SourcePredictor.fit(samples, GROUPS, minimum=40)


def predictions(source: SourcePredictor, graphs: list[OperatorGraph]) -> list[Prediction]:
    return source.predict(graphs, [graph_digest(graph) for graph in graphs], GROUPS.encode(graphs))


def test_a_net_is_predicted_without_what_was_measured_of_it() -> None:
    """Trees fit a part of the deviation of an outlier; the source's prediction of it is that of the other nets."""
    samples = measured(random_graphs(60, 0), noise=0.0)
    ratios = []
    for place in (3, 7, 12, 20, 31, 44):
        outlier = replace(samples[place], latency_ms=5 * samples[place].latency_ms, kernels=())
        source = fitted([*samples[:place], outlier, *samples[place + 1 :]])
        (held_out,) = predictions(source, [outlier.graph])
        (trained,) = predictions(replace(source, left_out_ms={}), [outlier.graph])
        ratios.append(held_out.latency_ms / trained.latency_ms)
        assert held_out.latency_ms == pytest.approx(samples[place].latency_ms, rel=0.5)
        assert sum(held_out.operators_ms) + held_out.overhead_ms == pytest.approx(held_out.latency_ms)
    assert max(ratios) < 1
    assert np.mean(ratios) < 0.9


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_better_of_trees_and_process_counts(share: float) -> None:
    """Long nets are slow beyond what a sum can express; a sum of FLOPs alone is what trees are bad at."""
    samples = [
        replace(sample, kernels=(), latency_ms=0.1 + sum(op.flops for op in sample.graph.operators) / 1e7)
        if share
        else replace(sample, latency_ms=sample.latency_ms * (4.0 if len(sample.graph.operators) > 20 else 1.0))
        for sample in measured(random_graphs(60, 0), noise=0.0)
    ]
    source = fitted(samples)
    assert source.share == pytest.approx(share, abs=0.05)
    graphs = random_graphs(5, 9)
    trees, process = source.trees.predict(graphs), source.process.predict(GROUPS.encode(graphs))
    alone = process if share else np.array([one.latency_ms for one in trees])
    assert [one.latency_ms for one in predictions(source, graphs)] == pytest.approx(alone.tolist(), rel=0.1)


def chain(size: int, length: int) -> OperatorGraph:
    """Convolutions that all nets end with the same two of."""
    shape, operators = (1, 3, size, size), []
    for channels in (*(64,) * length, 1024, 10):
        operators.append(builders.convolution(shape, channels, kernel=(1, 1) if channels != 64 else (3, 3)))
        shape = operators[-1].output_shapes[0]
    return OperatorGraph(tuple(operators), tuple((place - 1,) for place in range(length + 2)), ((1, 3, size, size),))


def test_nets_far_beyond_those_measured_are_predicted_by_the_trees() -> None:
    """A sum of work is what the process extrapolates from one resolution; the trees' base knows sizes."""

    def sample(size: int, length: int) -> LatencySample:
        graph = chain(size, length)
        return LatencySample(f"{size} {length}", graph, 0.1 + sum(op.flops for op in graph.operators) / 1e7)

    samples = [sample(32, 1 + number % 20) for number in range(60)]
    groups = NetGroups.learn([one.graph for one in samples])
    source = SourcePredictor.fit(samples, groups, minimum=40)
    assert source.share > 0.9
    graphs = [chain(size, 5) for size in (8, 32, 256)]
    predicted = source.predict(graphs, ["new"] * 3, groups.encode(graphs))
    trees = source.trees.predict(graphs)
    same = [one.latency_ms == pytest.approx(other.latency_ms) for one, other in zip(predicted, trees, strict=True)]
    assert same == [True, False, True]


def test_too_few_nets() -> None:
    with pytest.raises(UserError, match="39"):
        fitted(measured(random_graphs(39, 0)))
