"""The pairs of the benchmark of spellings: nets of other sizes do as much more work as their sizes say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from devices.registry import get_device
from latency.operators.from_onnx import from_onnx
from latency.store import MeasurementStore


@pytest.fixture
def spellings(benchmark_of: Callable[[str], Any]) -> Any:
    return benchmark_of("spellings")


@pytest.fixture
def listed_operators(benchmark_of: Callable[[str], Any]) -> Any:
    return benchmark_of("listed_operators")


def test_a_batch_is_as_much_more_work(spellings: Any, tmp_path: Path) -> None:
    for net in spellings.SIZED_NETS:
        one, four = (
            from_onnx(spellings.write_net(net, tmp_path / "net.onnx", width=spellings.WIDTH, batch=batch))
            for batch in (1, 4)
        )
        assert four.input_shapes[0][0] == 4
        assert four.flops == 4 * one.flops
        assert four.parameters == one.parameters


@pytest.mark.parametrize(("size", "channels"), [("one channel more", 17), ("half a block more", 24)])
def test_channels_are_beside_whole_blocks(spellings: Any, tmp_path: Path, size: str, channels: int) -> None:
    for net in spellings.SIZED_NETS:
        sizes = spellings.OTHER_SIZES[size]
        first, second = (
            from_onnx(spellings.write_net(net, tmp_path / "net.onnx", width=width)).operators
            for width in (spellings.WIDTH, sizes["width"])
        )
        assert [operator.kind for operator in first] == [operator.kind for operator in second]
        before, after = (operators[0].output_shapes[0][1] for operators in (first, second))
        assert (before * channels) == after * spellings.WIDTH


def test_a_row_says_what_a_flop_takes(spellings: Any, tmp_path: Path) -> None:
    with MeasurementStore(tmp_path / "it.sqlite") as store:
        row = spellings.size_row(get_device("simulated"), "resnet at 128", "batch of 2", tmp_path, store)
    assert row["times_the_flops"] == 2
    assert row["a_flop_takes"] == pytest.approx(row["times_as_long"] / 2, abs=2e-3)


def test_every_listed_weight_is_one_of_the_operator(listed_operators: Any) -> None:
    for name in listed_operators.OPERATORS:
        made = listed_operators.constant(name)
        onnx.checker.check_model(made, full_check=True)
        for tensor in made.graph.initializer:
            (operator,) = from_onnx(listed_operators.listed(made, tensor.name)).operators
            assert operator.kind == name
