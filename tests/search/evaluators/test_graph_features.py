"""What tells the quality of a net."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest

from latency.operators import builders
from latency.operators.operator import Operator, OperatorGraph
from search.evaluators.graph_features import feature_matrix, graph_features
from search.spaces.portrait.space import PortraitSpace
from segmentation.portrait.slots import SIZES
from tests.search.vectors import VectorSpace


def conv(height: int, channels: int, kernel: int, stride: int = 1, inputs: int = 4) -> Operator:
    return builders.convolution(
        (1, inputs, height, height), channels, kernel=(kernel, kernel), strides=(stride, stride), dilations=(1, 1),
        group=1, activation="relu",
    )  # fmt: skip


def chain(*operators: Operator) -> OperatorGraph:
    inputs = tuple((position - 1,) for position in range(len(operators)))
    return OperatorGraph(operators, inputs, operators[0].input_shapes)


DOWN = conv(32, 8, 3, stride=2)
DEEP = conv(16, 16, 3, stride=2, inputs=8)
RESIZE = builders.resize((1, 16, 8, 8), (1, 16, 16, 16), "bilinear")
UP = conv(16, 2, 1, inputs=16)


def test_every_way_and_level_has_its_own_numbers() -> None:
    found = graph_features(chain(DOWN, DEEP, RESIZE, UP))
    assert found["spatial.down.1"] == found["spatial.down.2"] == 1
    assert found["spatial.up.1"] == 0
    assert found["weighted.up.1"] == 1
    assert found["width.down.2"] == pytest.approx(math.log(16))
    assert found["flops.up.1"] == pytest.approx(math.log1p((UP.flops + RESIZE.flops) / (6 * 32 * 32)))
    assert found["levels_up"] == 1
    assert (found["kernel.down.1"], found["kernel.up.1"]) == (2, 0)


def test_a_net_as_a_whole_has_its_operations_and_parameters() -> None:
    nets = PortraitSpace(sizes=((128, 128),)).sample(6, Random(5))
    for graph in map(PortraitSpace().lower, nets):
        found = graph_features(graph)
        assert math.expm1(found["parameters"]) == pytest.approx(sum(one.parameters for one in graph.operators))
        assert math.expm1(found["flops"]) == pytest.approx(graph.flops / (6 * 128 * 128))


def test_a_decoder_at_a_finer_level_shows() -> None:
    twice = builders.resize((1, 16, 16, 16), (1, 16, 32, 32), "bilinear")
    finer = chain(DOWN, DEEP, RESIZE, conv(16, 16, 1, inputs=16), twice, conv(32, 2, 1, inputs=16))
    assert graph_features(finer)["levels_up"] == 2
    assert "weighted.up.0" in graph_features(finer)
    assert graph_features(chain(DOWN, DEEP))["levels_up"] == 0


def test_the_size_of_the_input_shows_in_pixels_alone() -> None:
    net = PortraitSpace(sizes=((128, 128),)).sample(1, Random(3))[0]
    small, large = (
        graph_features(PortraitSpace().lower(net.replaced({"size": SIZES.index(size)})))
        for size in ((128, 128), (256, 256))
    )
    assert large.pop("pixels") - small.pop("pixels") == pytest.approx(math.log(4))
    assert large == pytest.approx(small, rel=0.02)


def test_a_net_without_pictures_has_features() -> None:
    space = VectorSpace(classes=3)
    small, large = (graph_features(space.lower(space.of(widths))) for widths in ([1], [4, 4]))
    assert large["flops.down.-1"] > small["flops.down.-1"]


def test_a_name_that_a_net_lacks_is_zero() -> None:
    found = feature_matrix([{"a": 1.0}, {"b": 2.0, "c": 9.0}], ["a", "b"])
    np.testing.assert_array_equal(found, [[1, 0], [0, 2]])
    assert feature_matrix([], ["a", "b"]).shape == (0, 2)
