"""JSON round trip and digests."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings

from foundation.errors import UserError
from latency.operators.operator import OperatorGraph
from latency.operators.serialize import graph_digest, graph_from_json, graph_to_json
from latency.operators.synthesize import with_tensor_names
from tests.latency.graphs import random_graphs, small_net


@given(random_graphs())
@settings(max_examples=50)
def test_round_trip(graph: OperatorGraph) -> None:
    named = with_tensor_names(graph)
    read = graph_from_json(json.loads(json.dumps(graph_to_json(named))))
    assert read == graph
    assert [operator.tensors for operator in read.operators] == [operator.tensors for operator in named.operators]
    assert graph_digest(read) == graph_digest(graph)


def test_digest_tells_graphs_apart() -> None:
    graph = small_net()
    swapped = replace(graph, inputs=(*graph.inputs[:5], (0, 4), *graph.inputs[6:]))
    assert len({graph_digest(graph), graph_digest(swapped), graph_digest(small_net(channels=4))}) == 3


def test_digest_is_stable() -> None:
    assert graph_digest(small_net()) == graph_digest(with_tensor_names(small_net()))
    assert len(graph_digest(small_net())) == 20


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.pop("operators"),
        lambda data: data["operators"][0].pop("kind"),
        lambda data: data["inputs"].pop(),
        lambda data: data["inputs"].__setitem__(0, [5]),
        lambda data: data["operators"][0]["attributes"].__setitem__("kernel", None),
        lambda data: data["operators"][0].__setitem__("flops", "many"),
    ],
)
def test_damaged_objects_are_errors_of_the_user(damage) -> None:  # type: ignore[no-untyped-def]
    data = json.loads(json.dumps(graph_to_json(small_net())))
    damage(data)
    with pytest.raises(UserError, match="operator graph"):
        graph_from_json(data)
