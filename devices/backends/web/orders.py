"""Orders to a page and its answers: a line of JSON, then the bytes of the arrays and of the model.

A browser may send anything, so answers are checked field by field. ``page/engine.js`` is the other side.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from math import prod
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from devices.worker.runtime import MAX_OUTPUT_BYTES, Array, ModelFailedError, one_line

_Time = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Numbers = Literal[
    "float16", "float32", "float64", "bool",
    "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
]  # fmt: skip


class _Checked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ArrayHeader(_Checked):
    """Of one output; its bytes follow in this order."""

    name: str
    dtype: _Numbers
    shape: tuple[Annotated[int, Field(ge=0)], ...]


class AnswerHeader(_Checked):
    """The fields of an answer; each order has its own."""

    error: str = ""
    """The message of the runtime, where it failed."""
    ms: _Time = 0.0
    """Duration of loading, or of all runs of a block."""
    microseconds: dict[str, tuple[_Time, ...]] = {}
    """Times of every run by node, from the runtime's profiler."""
    arrays: tuple[ArrayHeader, ...] = ()


class PageDescription(_Checked):
    """What a page tells of its browser."""

    hardware: str = Field(min_length=1, max_length=200)
    browser: str = Field(min_length=1, max_length=100)
    """Name and main version."""
    threads: int = Field(ge=1, le=4096)
    """The most that a session can have."""
    isolated: bool
    """Whether the page is cross-origin isolated: only then it has threads and a fine clock."""
    clock_ms: float = Field(gt=0, le=1000, allow_inf_nan=False)
    """Resolution of the clock."""

    @property
    def identity(self) -> str:
        """Sixteen hexadecimal digits of SHA-256 over all but the clock, which is measured anew with each page."""
        return hashlib.sha256(self.model_dump_json(exclude={"clock_ms"}).encode()).hexdigest()[:16]


def encode_order(kind: str, arrays: Mapping[str, Array] | None = None, content: bytes = b"", **fields: int) -> bytes:
    """One order.

    Raises:
        ModelFailedError: an array is text.
    """
    given = {name: np.ascontiguousarray(array) for name, array in (arrays or {}).items()}
    if any(array.dtype == object for array in given.values()):
        raise ModelFailedError("an input is text, which a page is not fed with")
    heads = [{"name": name, "dtype": array.dtype.name, "shape": array.shape} for name, array in given.items()]
    line = json.dumps({"kind": kind, "arrays": heads, **fields}).encode()
    return b"".join([line, b"\n", *(array.tobytes() for array in given.values()), content])


def decode_answer(content: bytes) -> tuple[AnswerHeader, list[Array]]:
    """The checked header of an answer, and its arrays.

    Raises:
        ModelFailedError: the runtime failed, or this is no answer.
    """
    line, _, rest = content.partition(b"\n")
    try:
        header = AnswerHeader.model_validate_json(line)
    except ValidationError as error:
        raise ModelFailedError(f"the page gave no answer: {one_line(error)}") from error
    if header.error:
        raise ModelFailedError(one_line(ModelFailedError(header.error)))
    sizes = [prod(each.shape) * np.dtype(each.dtype).itemsize for each in header.arrays]
    if sum(sizes) != len(rest) or len(rest) > MAX_OUTPUT_BYTES:
        raise ModelFailedError(f"the page gave {len(rest):,} bytes for outputs of {sum(sizes):,}")
    return header, _arrays(header, sizes, rest)


def _arrays(header: AnswerHeader, sizes: list[int], content: bytes) -> list[Array]:
    arrays: list[Array] = []
    offset = 0
    for each, size in zip(header.arrays, sizes, strict=True):
        arrays.append(np.frombuffer(content[offset : offset + size], each.dtype).reshape(each.shape).copy())
        offset += size
    return arrays
