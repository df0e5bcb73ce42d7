from __future__ import annotations

from dataclasses import replace

import pytest

from foundation.errors import UserError
from latency.operators.serialize import graph_digest
from latency.predictors.transfer.source import SourcePredictor
from latseg.testing.synthetic import measured, random_graphs


def test_a_net_that_was_learned_is_judged_without_it() -> None:
    """Trees half believe a net whose latency contradicts all others; of the source they say what the others say."""
    samples = measured(random_graphs(60, 0), noise=0.0)
    liar = replace(samples[7], latency_ms=5 * samples[7].latency_ms, kernels=())
    source = SourcePredictor.fit([*samples[:7], liar, *samples[8:]], minimum=40)
    (told,) = source.predict([liar.graph], [graph_digest(liar.graph)])
    (known,) = source.trees.predict([liar.graph])
    assert told.latency_ms < 0.8 * known.latency_ms
    assert told.latency_ms == pytest.approx(samples[7].latency_ms, rel=0.5)
    assert sum(told.operators_ms) + told.overhead_ms == pytest.approx(told.latency_ms)


def test_other_nets_are_told_by_the_trees() -> None:
    source = SourcePredictor.fit(measured(random_graphs(45, 0)), minimum=40)
    graphs = random_graphs(5, 9)
    assert source.predict(graphs, [graph_digest(graph) for graph in graphs]) == source.trees.predict(graphs)


def test_too_few_nets() -> None:
    with pytest.raises(UserError, match="39"):
        SourcePredictor.fit(measured(random_graphs(39, 0)), minimum=40)
