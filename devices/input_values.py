"""Values that the user gives for inputs of a model; all other inputs are fed with random numbers."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from foundation.errors import UserError

Shape = tuple[int, ...]
InputValues = tuple[tuple[str, str], ...]
"""Name of an input and its value, as ``encode`` writes it: hashable, and fit for a line of JSON."""


def encode(value: NDArray[np.generic]) -> str:
    """An array as text: the base64 form of its ``.npy`` file, texts as unicode."""
    content = io.BytesIO()
    np.save(content, value.astype(np.str_) if value.dtype == object else value, allow_pickle=False)
    return base64.b64encode(content.getvalue()).decode("ascii")


def decode(text: str) -> NDArray[np.generic]:
    """The inverse of ``encode``."""
    value: NDArray[np.generic] = np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False)
    return value.astype(object) if value.dtype.kind == "U" else value


def encode_all(values: Mapping[str, NDArray[np.generic]]) -> InputValues:
    """The values of several inputs."""
    return tuple((name, encode(value)) for name, value in values.items())


def given_shape(declared: Sequence[int | None] | None, value: NDArray[np.generic]) -> Shape | None:
    """The shape that a value gives to an input; None where one number is to fill the input.

    ``declared`` has None for a dynamic dimension, and is None where the file gives no shape. A list of as many numbers
    as the input holds has its shape.
    """
    if declared is None:
        return value.shape
    known = [side for side in declared if side is not None]
    if value.ndim == 0:
        return (1,) if len(declared) == 1 and not known else None
    if value.ndim == 1 and len(declared) != 1 and len(known) == len(declared) and prod(known) == value.size:
        return tuple(known)
    return value.shape


def fitted(name: str, value: NDArray[np.generic], shape: Shape, dtype: str) -> NDArray[np.generic]:
    """The value as an array of an input's shape and element type.

    Raises:
        UserError: numbers that this type does not hold (2.5 or -1 for unsigned integers, a text for numbers).
    """
    kind = np.dtype(dtype)
    text = kind.kind == "O"
    expected = "text" if text else dtype
    refused = UserError(
        f"value of input {name!r}", seen=_shown(value), expected=f"values of type {expected}",
        remedy="give values that the input can hold",
    )  # fmt: skip
    if (value.dtype.kind in "OU") != text or value.dtype.kind not in "OUbiuf":
        raise refused
    with np.errstate(all="ignore"):
        converted = value.astype(kind)
    if kind.kind in "biu" and not np.array_equal(converted, value):
        raise refused
    return np.array(np.broadcast_to(converted.reshape(shape if value.ndim else ()), shape))


def _shown(value: NDArray[np.generic]) -> str:
    text = np.array2string(value.reshape(-1)[:4], separator=", ")
    return text if value.size <= 4 else f"{text[:-1]}, ...]"
