"""Operator times find their operators, and none is lost."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.measurement import OperatorTime
from latency.kernel_times import join, join_neighbourhood, join_single_operator
from latency.operators import builders
from latency.operators.from_onnx import from_onnx
from latency.operators.operator import OperatorGraph
from latency.operators.synthesize import single_operator, to_model, with_tensor_names
from latency.sample import KernelTime
from tests.latency.graphs import random_graphs, small_net
from tests.latency.measurements import row

NAMED = with_tensor_names(small_net())
ALL = tuple(row(f"t{position}", 0.1 * (position + 1)) for position in range(10))


def test_one_row_for_each_operator() -> None:
    kernels = join(NAMED, ALL)
    assert [kernel.operators for kernel in kernels] == [(position,) for position in range(10)]
    assert [kernel.ms for kernel in kernels] == pytest.approx([0.1 * (position + 1) for position in range(10)])


def test_graph_read_from_the_file_joins_as_well() -> None:
    assert join(from_onnx(to_model(small_net())), ALL) == join(NAMED, ALL)


def test_tensor_inside_an_operator() -> None:
    rows = (row("t0_linear", 0.3), row("t0", 0.2), *ALL[1:])
    kernels = join(NAMED, rows)
    assert kernels[0].operators == (0,)
    assert kernels[0].ms == pytest.approx(0.5)


def test_operator_without_a_row_is_covered_by_its_reader() -> None:
    # Operator 6 (convolution) was fused into 7 (concatenation), which it feeds; 2 and 3 (the gate) into 4.
    rows = tuple(one for position, one in enumerate(ALL) if position not in (2, 3, 6))
    kernels = {kernel.operators: kernel.ms for kernel in join(NAMED, rows)}
    assert kernels[(2, 3, 4)] == pytest.approx(0.5)
    assert kernels[(6, 7)] == pytest.approx(0.8)


def test_last_operator_without_a_row_is_covered_by_its_source() -> None:
    kernels = join(NAMED, ALL[:-1])
    assert kernels[-1].operators == (8, 9)


def test_rows_that_match_nothing_are_spread_in_proportion() -> None:
    kernels = join(NAMED, (row("t3", 3.0), row("t9", 1.0), row("a constant", 2.0)))
    assert [kernel.ms for kernel in kernels] == pytest.approx([4.5, 1.5])


def test_row_that_makes_tensors_of_two_operators() -> None:
    both = OperatorTime("Conv+Add", ("t4", "t5"), (), 1.0)
    rest = tuple(one for position, one in enumerate(ALL) if position not in (4, 5))
    assert [kernel.operators for kernel in join(NAMED, (both, *rest)) if 5 in kernel.operators] == [(4, 5)]


def test_no_rows_no_times() -> None:
    assert join(NAMED, ()) == ()
    assert join(NAMED, (row("elsewhere", 1.0),)) == ()


@given(random_graphs(), st.integers(0, 10**6))
@settings(max_examples=100)
def test_the_sum_is_kept_and_each_operator_covered_at_most_once(graph: OperatorGraph, seed: int) -> None:
    rng = Random(seed)
    named = with_tensor_names(graph)
    names = [*(f"t{position}" for position in range(len(graph.operators))), "lost", "t0_linear"]
    rows = [row(name, rng.random() + 0.01) for name in names if rng.random() < 0.7]
    kernels = join(named, rows)
    if not kernels:
        assert not {one.outputs[0] for one in rows} - {"lost"}
        return
    assert sum(kernel.ms for kernel in kernels) == pytest.approx(sum(one.ms for one in rows))
    covered = [position for kernel in kernels for position in kernel.operators]
    assert len(covered) == len(set(covered))


def test_a_single_operator_gets_the_time_of_its_kernels_themselves() -> None:
    single = with_tensor_names(single_operator(small_net().operators[0]))
    rows = (replace(row("t0_linear", 2.0), own_ms=0.25), replace(row("t0", 3.0), own_ms=0.5))
    (kernel,) = join_single_operator(single, rows)
    assert (kernel.operators, kernel.ms) == ((0,), 0.75)
    (unknown,) = join_single_operator(single, (rows[0], row("t0", 3.0)))
    assert unknown.ms == pytest.approx(5.0)
    assert join_single_operator(single, ()) == ()
    (quick,) = join_single_operator(single, (replace(row("t0", 3.0), own_ms=0.0),))
    assert 0 < quick.ms < 0.001


def between(own: tuple[float | None, ...], ms: tuple[float, ...]) -> tuple[KernelTime, ...]:
    """Of three operators in a row, the rows as given; 0.01 ms of each are the profiler's."""
    shape = (1, 8, 16, 16)
    graph = OperatorGraph((builders.convolution(shape, 8, kernel=(3, 3)),) * 3, ((-1,), (0,), (1,)), (shape,))
    rows = [replace(row(f"t{place}", ms[place]), own_ms=each) for place, each in enumerate(own) if each is not None]
    return join_neighbourhood(with_tensor_names(graph), rows, 0.01)


def test_between_neighbours_only_the_inner_operator_counts() -> None:
    (kernel,) = between((0.5, 0.2, 0.4), (1.0, 0.4, 0.8))
    assert (kernel.operators, kernel.ms) == ((1,), pytest.approx(0.2 - 0.01))


def test_reorders_between_neighbours_count() -> None:
    (kernel,) = between((0.5, 0.2, 0.4), (1.6, 0.6, 0.8))
    assert kernel.ms == pytest.approx(0.2 - 0.01 + 0.1)


def test_reorders_of_an_input_do_not_count_for_a_kernel_that_reads_it() -> None:
    (kernel,) = between((None, 0.2, 0.4), (0.0, 0.6, 0.8))
    assert (kernel.operators, kernel.ms) == ((0, 1), pytest.approx(0.2 - 0.01))


def test_an_inner_operator_may_share_its_kernel_with_a_neighbour() -> None:
    (fused,) = between((0.5, None, 0.4), (1.6, 0.0, 0.8))
    assert (fused.operators, fused.ms) == ((1, 2), pytest.approx(0.4 - 0.01))


def test_without_the_kernels_own_times_neighbours_tell_nothing() -> None:
    rows = [row(f"t{place}", 1.0) for place in range(3)]
    shape = (1, 8, 16, 16)
    graph = OperatorGraph((builders.convolution(shape, 8, kernel=(3, 3)),) * 3, ((-1,), (0,), (1,)), (shape,))
    assert join_neighbourhood(with_tensor_names(graph), rows) == ()
    assert join_neighbourhood(with_tensor_names(graph), ()) == ()


def test_a_view_belongs_to_what_is_viewed() -> None:
    shape, flat = (1, 8, 16, 16), (1, 4, 2, 16, 16)
    conv = builders.convolution(shape, 8, kernel=(3, 3))
    shuffle = builders.operator("Transpose", (("perm", (0, 2, 1, 3, 4)),), (flat,), ((1, 2, 4, 16, 16),))
    graph = with_tensor_names(OperatorGraph((conv, shuffle, conv), ((-1,), (0,), (1,)), (shape,)))
    made = {name for node in to_model(graph).graph.node for name in node.output}
    assert {"t1_view_0", "t2_view_0"} <= made
    rows = [replace(row(name, ms), own_ms=ms) for name, ms in (("t0", 0.5), ("t1_view_0", 0.1), ("t1", 0.2))]
    rows += [replace(row(name, ms), own_ms=ms) for name, ms in (("t2_view_0", 0.3), ("t2", 0.4))]
    (kernel,) = join_neighbourhood(graph, rows)
    assert (kernel.operators, kernel.ms) == ((1,), pytest.approx(0.5))
