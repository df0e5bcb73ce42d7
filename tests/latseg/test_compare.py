from pathlib import Path

import pytest

from latseg.results import ComparedModel, Comparison
from latseg.table import Table
from tests.latency.measurements import INFO

A = ComparedModel(Path("a.onnx"), 1.0, Table([]), (0.9, 1.1))


def comparison(interval_ms: tuple[float, float] | None) -> Comparison:
    return Comparison(A, ComparedModel(Path("b.onnx"), 1.1, Table([]), interval_ms), False, INFO, Table([]), "")


@pytest.mark.parametrize(
    ("interval_ms", "noise"), [((1.05, 1.2), True), ((1.11, 1.2), False), ((0.7, 0.89), False), (None, False)]
)
def test_differences_within_the_intervals_may_be_noise(interval_ms: tuple[float, float] | None, noise: bool) -> None:
    assert comparison(interval_ms).intervals_overlap == noise
