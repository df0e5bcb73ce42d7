from __future__ import annotations

from dataclasses import replace

import pytest

from foundation.errors import UserError
from latency.operators.serialize import graph_digest
from latency.predictors.transfer.source import SourcePredictor
from latseg.testing.synthetic import measured, random_graphs


def test_a_training_net_is_predicted_by_trees_trained_without_it() -> None:
    """Trees fit half of the deviation of an outlier; the source's prediction of it is that of the other nets."""
    samples = measured(random_graphs(60, 0), noise=0.0)
    outlier = replace(samples[7], latency_ms=5 * samples[7].latency_ms, kernels=())
    source = SourcePredictor.fit([*samples[:7], outlier, *samples[8:]], minimum=40)
    (held_out,) = source.predict([outlier.graph], [graph_digest(outlier.graph)])
    (trained,) = source.trees.predict([outlier.graph])
    assert held_out.latency_ms < 0.8 * trained.latency_ms
    assert held_out.latency_ms == pytest.approx(samples[7].latency_ms, rel=0.5)
    assert sum(held_out.operators_ms) + held_out.overhead_ms == pytest.approx(held_out.latency_ms)


def test_other_nets_are_predicted_by_the_trees() -> None:
    source = SourcePredictor.fit(measured(random_graphs(45, 0)), minimum=40)
    graphs = random_graphs(5, 9)
    assert source.predict(graphs, [graph_digest(graph) for graph in graphs]) == source.trees.predict(graphs)


def test_too_few_nets() -> None:
    with pytest.raises(UserError, match="39"):
        SourcePredictor.fit(measured(random_graphs(39, 0)), minimum=40)
