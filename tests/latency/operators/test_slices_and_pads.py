"""Slice and Pad say the same in several ways; each is one operator, and the model made of it gives the same numbers."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from latency.operators import builders
from latency.operators.from_onnx import from_onnx
from latency.operators.operator import Operator
from latency.operators.synthesize import to_model
from latency.predictors.encoding.features import features
from tests.latency.operators.test_from_onnx import model

FAR, FIRST = 2**63 - 1, -(2**63)


def outputs(made: onnx.ModelProto) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(made.SerializeToString())
    image = np.arange(192, dtype=np.float32).reshape(1, 3, 8, 8)
    return [np.asarray(each) for each in session.run(None, {session.get_inputs()[0].name: image})]


def only(made: onnx.ModelProto) -> Operator:
    """Its operator, whose own model computes the same."""
    graph = from_onnx(made)
    (operator,) = graph.operators
    for one, other in zip(outputs(made), outputs(to_model(graph)), strict=True):
        assert np.array_equal(one, other)
    return operator


def cut(starts: list[int], ends: list[int], axes: list[int] | None, steps: list[int] | None) -> Operator:
    lists = {"a": starts, "b": ends, "c": axes, "s": steps}
    given = {name: np.array(each, np.int64) for name, each in lists.items() if each is not None}
    names = [name if name in given else "" for name in lists]
    return only(model(f"y = Slice(x, {', '.join(names).rstrip(', ')})", weights=given))


@pytest.mark.parametrize(
    ("starts", "ends", "axes", "steps"),
    [
        ([1], [-1], [2], None),
        ([-7], [7], [-2], None),
        ([0, 0, 1], [1, FAR, 7], None, None),
        ([1, 0], [7, FAR], [2, 3], None),
        ([0, 1], [FAR, 7], [3, 2], [1, 1]),
    ],
)
def test_slices_that_keep_the_same(
    starts: list[int], ends: list[int], axes: list[int] | None, steps: list[int] | None
) -> None:
    assert cut(starts, ends, axes, steps) == cut([1], [7], [2], None)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (([FAR], [FIRST], [3], [-1]), ([-1], [-9], [3], [-1])),
        (([5], [0], [3], [-2]), ([5], [0], [-1], [-2])),
        (([0], [FAR], [3], [2]), ([0], [8], [3], [2])),
        (([-100], [-200], [3], [-1]), ([0], [-9], [3], [-1])),
        (([0, 0], [FAR, FAR], [3, 2], None), ([0], [8], [2], None)),
    ],
    ids=["backwards", "backwards to the second", "every second", "before the first", "everything"],
)
def test_steps_and_directions(one: tuple[list[int], ...], other: tuple[list[int], ...]) -> None:
    assert cut(*one) == cut(*other)


@pytest.mark.parametrize(
    ("body", "opset"),
    [
        ("y = Pad(x, full)", 17),
        ('y = Pad<mode="constant">(x, full, zero)', 17),
        ("y = Pad(x, space, zero, last)", 18),
        ("y = Pad(x, space, , last)", 18),
    ],
)
def test_pads_of_the_same_width(body: str, opset: int) -> None:
    lists = {"full": [0, 0, 1, 2, 0, 0, 3, 4], "space": [1, 2, 3, 4], "last": [-2, 3]}
    weights: dict[str, object] = {name: np.array(each) for name, each in lists.items()}
    plain = only(model("y = Pad(x, full)", weights=weights))
    made = model(body, opset=opset, weights={**weights, "zero": np.array(0, np.float32)})
    assert only(made) == plain
    ones = model("y = Pad(x, full, one)", weights={**weights, "one": np.array(1, np.float32)})
    assert only(ones) != plain


@pytest.mark.parametrize("kind", ["Slice", "Pad", "Expand", "Tile"])
def test_what_the_sizes_tell_is_no_property(kind: str) -> None:
    one, other = (
        builders.operator(kind, (("constant_1", values),), ((1, 3, 8, 8),), ((1, 3, 9, 9),))
        for values in ((0, 0, 1, 1), (0, 0, 0, 1))
    )
    assert features(one) == features(other)


def test_where_a_slice_begins_is_no_property_of_its_cost() -> None:
    first, second, other = (cut([start], [end], [1], None) for start, end in ((0, 1), (2, 3), (0, 2)))
    assert first != second
    assert features(first) == features(second) != features(other)
