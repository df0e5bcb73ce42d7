"""What a page sends is checked."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pydantic import ValidationError

from devices.backends.web.orders import PageDescription, decode_answer, encode_order
from devices.worker.runtime import ModelFailedError

DESCRIPTION = {"hardware": "a phone", "browser": "Chrome 150", "threads": 1, "isolated": False, "clock_ms": 0.1}


def answer(content: bytes = b"", **fields: object) -> bytes:
    return json.dumps(fields).encode() + b"\n" + content


def test_an_order_is_a_line_and_the_bytes_of_its_arrays_and_model() -> None:
    image = np.arange(6, dtype=np.float32).reshape(2, 3).T
    line, _, rest = encode_order("load", {"image": image}, b"model", number=3).partition(b"\n")
    assert json.loads(line) == {
        "kind": "load",
        "arrays": [{"name": "image", "dtype": "float32", "shape": [3, 2]}],
        "number": 3,
    }
    assert rest == np.ascontiguousarray(image).tobytes() + b"model"


def test_text_is_refused() -> None:
    with pytest.raises(ModelFailedError, match="text"):
        encode_order("load", {"words": np.array(["a"], object)})


def test_arrays_of_an_answer() -> None:
    first, second = np.arange(4, dtype=np.int64).reshape(2, 2), np.array([True, False, True])
    heads = [{"name": "a", "dtype": "int64", "shape": [2, 2]}, {"name": "b", "dtype": "bool", "shape": [3]}]
    _, arrays = decode_answer(answer(first.tobytes() + second.tobytes(), arrays=heads))
    for seen, expected in zip(arrays, (first, second), strict=True):
        np.testing.assert_array_equal(seen, expected)
        assert seen.dtype == expected.dtype
        assert seen.flags.writeable


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "gave no answer"),
        (b"[1]\n", "gave no answer"),
        (answer(ms="fast"), "gave no answer.*ms"),
        (answer(ms=-1), "gave no answer.*ms"),
        (b'{"ms": NaN}\n', "gave no answer"),
        (answer(path="/etc/passwd"), "gave no answer.*path"),
        (answer(microseconds={"0": [-1]}), "gave no answer"),
        (answer(arrays=[{"name": "a", "dtype": "object", "shape": [1]}]), "gave no answer.*dtype"),
        (answer(arrays=[{"name": "a", "dtype": "int8", "shape": [-1]}]), "gave no answer.*shape"),
        (answer(b"123", arrays=[{"name": "a", "dtype": "int8", "shape": [4]}]), "3 bytes for outputs of 4"),
        (answer(b"more"), "4 bytes for outputs of 0"),
        (answer(error="no kernel\nfor NoSuchOperator"), "^no kernel for NoSuchOperator$"),
    ],
)
def test_what_is_no_answer_fails_the_model(content: bytes, reason: str) -> None:
    with pytest.raises(ModelFailedError, match=reason):
        decode_answer(content)


@pytest.mark.parametrize(
    "wrong",
    [{"threads": 0}, {"clock_ms": 0}, {"clock_ms": "inf"}, {"hardware": "x" * 201}, {"browser": ""}, {"more": 1}],
)
def test_a_description_is_bounded(wrong: dict[str, object]) -> None:
    PageDescription.model_validate(DESCRIPTION)
    with pytest.raises(ValidationError):
        PageDescription.model_validate({**DESCRIPTION, **wrong})
