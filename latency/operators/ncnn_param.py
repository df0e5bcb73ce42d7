"""The text of ncnn's ``.param`` files: one layer a line (ncnn wiki, "param and model file structure")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isfinite

from foundation.errors import UserError
from latency.operators.operator import Shape

MAGIC = "7767517"
_LIST = -23300
"""Keys of lists are this, less the number of the parameter."""
_SHAPES = 30
"""Parameter with the shape hints of a layer's outputs: dimensions, width, height and channels of each."""
_MAX_LAYERS = 5_000


@dataclass(frozen=True)
class NcnnLayer:
    """One line."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    """Names of blobs."""
    outputs: tuple[str, ...]
    numbers: Mapping[int, tuple[float, ...]]
    """By parameter; a single number is a tuple of one."""

    def integer(self, parameter: int, default: int) -> int:
        """A single number, rounded down."""
        return int(self.numbers.get(parameter, (default,))[0])

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """Of the outputs, batch x channels x height x width; empty without hints."""
        hints = [int(number) for number in self.numbers.get(_SHAPES, ())]
        return tuple(_shape(*hints[start : start + 4]) for start in range(0, len(hints), 4))


def read_layers(text: str) -> list[NcnnLayer]:
    """Reads a ``.param`` text.

    Raises:
        UserError: not such a text.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 3 or lines[0].strip() != MAGIC or len(lines) > _MAX_LAYERS:
        raise broken(f"{len(lines)} lines, first {lines[0][:40]!r}" if lines else "an empty text")
    layers = []
    for number, line in enumerate(lines[2:], 1):
        try:
            layers.append(_layer(line))
            layers[-1].shapes  # noqa: B018 - reads the hints
        except (ValueError, IndexError, KeyError, TypeError) as error:
            raise broken(f"layer {number}: {line.strip()[:80]!r} ({error})") from error
    announced = lines[1].split()[0]
    # Some public files announce one layer less than they have.
    if not announced.isdecimal() or len(layers) < int(announced):
        raise broken(f"{len(layers)} layers where line 2 says {announced[:20]!r}: cut off")
    return layers


def _layer(line: str) -> NcnnLayer:
    kind, name, read, written, *rest = line.split()
    blobs, numbers = rest[: int(read) + int(written)], rest[int(read) + int(written) :]
    if len(blobs) != int(read) + int(written) or any("=" in blob for blob in blobs):
        raise ValueError("fewer blobs than announced")
    return NcnnLayer(kind, name, tuple(blobs[: int(read)]), tuple(blobs[int(read) :]), dict(map(_number, numbers)))


def _number(text: str) -> tuple[int, tuple[float, ...]]:
    key, values = text.split("=")
    numbers = tuple(map(float, values.split(",")))
    if not all(map(isfinite, numbers)):
        raise ValueError("a number that is not finite")
    return (_LIST - int(key), numbers[1:]) if int(key) <= _LIST else (int(key), numbers)


def _shape(dimensions: int, width: int, height: int, channels: int) -> Shape:
    return {1: (1, width), 2: (1, height, width), 3: (1, channels, height, width)}[dimensions]


def broken(seen: str) -> UserError:
    """The error for a text that is not one of ncnn's."""
    return UserError(
        "ncnn param file",
        seen=seen,
        expected="a text of ncnn, whole, that begins with 7767517",
        remedy="export the model to ncnn again",
    )
