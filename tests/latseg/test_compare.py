from pathlib import Path

import pytest

from latseg.commands.compare import _Side, _within

A = _Side(Path("a.onnx"), 1.0, [], (0.9, 1.1))


@pytest.mark.parametrize(("interval_ms", "noise"), [((1.05, 1.2), True), ((1.11, 1.2), False), ((0.7, 0.89), False)])
def test_overlapping_intervals_are_told(interval_ms: tuple[float, float], noise: bool) -> None:
    assert ("may be noise" in _within(A, _Side(Path("b.onnx"), 1.1, [], interval_ms))) == noise


def test_predictions_have_no_intervals() -> None:
    assert _within(A, _Side(Path("b.onnx"), 1.1, [])) == ""
