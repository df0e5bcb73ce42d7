from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from latency.operators import builders
from latency.operators.operator import OperatorGraph
from latency.predictors.encoding import net_groups
from latency.predictors.encoding.net_groups import GROUPS, NetGroups
from latseg.testing.synthetic import random_graphs

IMAGE = (1, 3, 32, 32)


def chain(*channels: int, outputs: tuple[int, ...] = ()) -> OperatorGraph:
    """Convolutions, each reading the one before."""
    operators, shape = [], IMAGE
    for each in channels:
        operators.append(builders.convolution(shape, each, kernel=(3, 3)))
        shape = operators[-1].output_shapes[0]
    return OperatorGraph(tuple(operators), tuple((place - 1,) for place in range(len(channels))), (IMAGE,), outputs)


NETS = [chain(8, 8), chain(8, 16), chain(16, 8), chain(8, 8, 8), chain(32, 8)]


def differ(first: OperatorGraph, second: OperatorGraph) -> set[str]:
    """Groups by which two nets can be told apart."""
    groups = NetGroups.learn(NETS)
    one, other = groups.encode([first, second])
    return {GROUPS[number] for number in np.unique(groups.group[~np.isclose(one, other)])}


def test_sizes_are_seen_by_all_groups_that_do_not_count() -> None:
    sized = {"shapes", "flops", "bytes", "flops_at_depth", "bytes_at_depth"}
    assert differ(chain(8, 8), chain(8, 16)) == sized
    assert differ(chain(8, 8), chain(8, 8, 8)) == set(GROUPS) - {"constant"}


def test_the_place_of_work_is_seen() -> None:
    """The second net has the operators of the first in the other order."""
    first = OperatorGraph(NETS[0].operators, ((-1,), (0,)), (IMAGE,))
    second = OperatorGraph(NETS[0].operators[::-1], ((-1,), (0,)), (IMAGE,))
    assert differ(first, second) == {"flops_at_depth", "bytes_at_depth"}


def test_what_no_output_needs_is_only_counted() -> None:
    assert "counts" not in differ(chain(8, 8, 8), chain(8, 8, 8, outputs=(1,)))
    assert differ(chain(8, 8), chain(8, 8, 8, outputs=(1,))) == {"counts"}


def test_shapes_that_hardly_any_net_has_are_left_out() -> None:
    nets = [*[chain(8, 8), chain(8, 16)] * 60, chain(8, 99)]
    assert not any("99" in key for key in NetGroups.learn(nets).keys["shapes"])
    assert any("99" in key for key in NetGroups.learn([*NETS, chain(8, 99)]).keys["shapes"])


def test_what_never_varied_is_not_blown_up() -> None:
    """All nets have the same head; one with another head must not be a million times as far away as the others."""
    groups = NetGroups.learn([chain(8, 8)] * 4)
    assert np.abs(groups.encode([chain(64, 64)])).max() < 100


def test_as_json() -> None:
    groups = NetGroups.learn(NETS, ("constant", "flops"))
    again = NetGroups.from_json(groups.to_json())
    assert np.array_equal(again.encode(NETS), groups.encode(NETS))
    with pytest.raises(ValueError, match="layout"):
        NetGroups.from_json(replace(groups, mean=groups.mean[:1]).to_json())
    with pytest.raises(ValueError, match="layout"):
        NetGroups.from_json({"keys": [["moon", ["a"]]], "mean": [0.0], "scale": [1.0]})


def test_nets_are_summed_once_for_all_predictors_that_share_them(monkeypatch: pytest.MonkeyPatch) -> None:
    graphs = random_graphs(6, 11)
    both = NetGroups.learn(graphs, ("flops", "counts")), NetGroups.learn(graphs, ("counts", "depth"))
    expected = [groups.encode(graphs) for groups in both]
    monkeypatch.setattr(net_groups, "_sums_of", lambda *_, **__: pytest.fail("summed again"))
    for groups, before in zip(both, expected, strict=True):
        np.testing.assert_array_equal(groups.encode(graphs), before)
    monkeypatch.undo()
    monkeypatch.setattr(net_groups, "_MOST_KNOWN", 4)  # fewer than there are
    again = random_graphs(6, 11)
    for groups, before in zip(both, expected, strict=True):
        np.testing.assert_array_equal(groups.encode(again), before)
    assert len(net_groups._KNOWN) <= 4
