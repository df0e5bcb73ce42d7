"""Counts that were worked out by hand."""

from __future__ import annotations

import pytest

from foundation.errors import UserError
from latency.operators import builders


def test_convolution_counts() -> None:
    operator = builders.convolution((1, 3, 8, 6), 4, kernel=(3, 3), strides=(2, 2), activation="relu")
    assert operator.output_shapes == ((1, 4, 4, 3),)
    assert operator.parameters == 4 * 3 * 9 + 4
    assert operator.flops == 2 * (4 * 3) * (4 * 3 * 9)
    assert operator.bytes_read == 4 * (3 * 8 * 6 + 4 * 3 * 9 + 4)
    assert operator.bytes_written == 4 * 4 * 4 * 3
    assert operator.attribute("activation", "") == "relu"


def test_depthwise_convolution_counts() -> None:
    operator = builders.convolution((1, 8, 5, 5), 8, kernel=(5, 3), group=8, output_hw=(5, 5))
    assert operator.parameters == 8 * 15 + 8
    assert operator.flops == 2 * 25 * 8 * 15


def test_odd_sides_are_rounded_up() -> None:
    assert builders.convolution((1, 3, 7, 9), 2, kernel=(3, 3), strides=(2, 2)).output_shapes == ((1, 2, 4, 5),)


def test_transposed_convolution_counts_each_input_position() -> None:
    operator = builders.transposed_convolution((1, 6, 4, 5), 2, kernel=(4, 4), strides=(2, 2))
    assert operator.output_shapes == ((1, 2, 8, 10),)
    assert operator.parameters == 6 * 2 * 16 + 2
    assert operator.flops == 2 * 20 * 6 * 2 * 16


def test_elementwise_broadcasts() -> None:
    operator = builders.elementwise("Mul", [(1, 4, 3, 3), (1, 4, 1, 1)])
    assert operator.output_shapes == ((1, 4, 3, 3),)
    assert operator.flops == 36
    assert operator.bytes_read == 4 * (36 + 4)


def test_elementwise_refuses_shapes_that_do_not_broadcast() -> None:
    with pytest.raises(UserError, match="broadcast"):
        builders.elementwise("Add", [(1, 4, 3, 3), (1, 3, 3, 3)])


def test_movers_and_pools() -> None:
    assert builders.concat([(1, 2, 3, 3), (1, 5, 3, 3)]).output_shapes == ((1, 7, 3, 3),)
    assert builders.depth_to_space((1, 8, 3, 2), 2).output_shapes == ((1, 2, 6, 4),)
    assert builders.global_average_pool((1, 8, 3, 2)).output_shapes == ((1, 8, 1, 1),)
    assert builders.global_average_pool((1, 8, 3, 2)).flops == 48
    resized = builders.resize((1, 2, 3, 3), (1, 2, 6, 6), "bilinear")
    assert resized == builders.resize((1, 2, 3, 3), (1, 2, 6, 6), "linear")
    assert resized.flops == 8 * 72


def test_activation_takes_its_name_or_its_kind() -> None:
    assert builders.activation("hswish", (1, 2, 3, 3)) == builders.activation("HardSwish", (1, 2, 3, 3))
