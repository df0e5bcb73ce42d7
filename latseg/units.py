"""Quantities with units, as people write them on the command line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal

from foundation.errors import UserError

Size = str | tuple[int, int]
"""``"256x192"`` or ``(256, 192)``: height and width in pixels."""

BudgetsByDevice = Mapping[str, str | float]
"""``{"cpu": "8ms"}``: a latency limit with its unit, or in milliseconds, for each device."""

_TIME_MS = {"us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3}
_COUNT = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}


def parse_latency_ms(text: str, *, option: str = "--max-latency") -> float:
    """``8ms``, ``900us`` or ``0.01s`` in milliseconds.

    Raises:
        UserError: no unit, another unit, or not a positive number.
    """
    number, unit = _split(text)
    if unit not in _TIME_MS or not _positive(number):
        remedy = f"write {text.strip()}ms" if unit == "" and _positive(number) else "write for example 8ms"
        raise UserError(option, seen=repr(text), expected="a positive time with its unit: us, ms or s", remedy=remedy)
    return float(number) * _TIME_MS[unit]


def parse_percent(text: str, *, option: str) -> float:
    """``5%`` as 5.0.

    Raises:
        UserError: another unit, or not a positive number.
    """
    number, unit = _split(text)
    if unit != "%" or not _positive(number):
        raise UserError(option, seen=repr(text), expected="a positive percentage", remedy="write for example 5%")
    return float(number)


def parse_parameters(text: str, *, option: str = "--max-params") -> int:
    """``0.4M``, ``400K`` or ``400000`` as a count.

    Raises:
        UserError: another unit, or not a positive number.
    """
    number, unit = _split(text)
    if unit.lower() not in _COUNT or not _positive(number):
        expected = "a positive count, with K or M if you like"
        raise UserError(option, seen=repr(text), expected=expected, remedy="write for example 0.4M")
    return round(float(number) * _COUNT[unit.lower()])


def parse_size(text: str, *, option: str = "--size") -> tuple[int, int]:
    """``256x192`` as height and width in pixels.

    Raises:
        UserError: not two positive whole numbers with an x between.
    """
    height, cross, width = text.strip().lower().partition("x")
    if not (cross and _side(height) and _side(width)):
        raise UserError(option, seen=repr(text), expected="HEIGHTxWIDTH in pixels", remedy="write for example 256x192")
    return int(height), int(width)


def parse_shape(text: str, *, option: str = "--shape") -> tuple[str, tuple[int, ...]]:
    """``image=1x3x224x224`` as the input's name and its shape.

    Raises:
        UserError: another form.
    """
    name, equals, dimensions = text.strip().rpartition("=")
    sizes = dimensions.lower().split("x")
    if not (equals and name and all(map(_side, sizes))):
        expected = "NAME=SHAPE with positive dimensions of at most nine digits"
        raise UserError(option, seen=repr(text), expected=expected, remedy="write for example image=1x3x224x224")
    return name, tuple(int(size) for size in sizes)


def parse_shapes(texts: Sequence[str] | None) -> dict[str, tuple[int, ...]]:
    """Texts such as ``image=1x3x224x224`` as shapes by name.

    Raises:
        UserError: one is not of this form.
    """
    return dict(parse_shape(text) for text in texts or ())


def as_size(size: Size, *, option: str = "--size") -> tuple[int, int]:
    """``"256x192"`` or ``(256, 192)`` as height and width.

    Raises:
        UserError: a text of another form.
    """
    return parse_size(size, option=option) if isinstance(size, str) else (int(size[0]), int(size[1]))


def as_sizes(sizes: Sequence[Size] | None) -> tuple[tuple[int, int], ...] | None:
    """Several of them; None where none are given.

    Raises:
        UserError: a text of another form.
    """
    return tuple(as_size(size) for size in sizes) if sizes else None


def as_latency_ms(value: str | float) -> float:
    """``"8ms"``, or a number of milliseconds.

    Raises:
        UserError: a text without its unit, or not a positive number.
    """
    if isinstance(value, str):
        return parse_latency_ms(value)
    if not (math.isfinite(value) and value > 0):
        raise UserError(
            "latency", seen=value, expected="a positive number of milliseconds", remedy="give for example 8 or '8ms'"
        )
    return float(value)


def format_latency_ms(value: float) -> str:
    """``0.00001`` as ``0.00001ms``, and never as ``1e-05ms``; ``parse_latency_ms`` reads the very same number."""
    return f"{Decimal(repr(float(value))):f}".removesuffix(".0") + "ms"


def as_parameters(value: str | int) -> int:
    """``"0.4M"``, or a count.

    Raises:
        UserError: a text with another unit, or not a positive number.
    """
    return parse_parameters(str(value))


def format_count(count: float) -> str:
    """``412345`` as ``0.412 M``."""
    if count >= 1e5:
        return f"{count / 1e6:.3f} M"
    return f"{count / 1e3:.1f} K" if count >= 1e3 else f"{count:.0f}"


def _side(text: str) -> bool:
    """Whether it is a positive whole number of at most nine digits."""
    return text.isascii() and text.isdecimal() and len(text) <= 9 and int(text) > 0


def _split(text: str) -> tuple[str, str]:
    stripped = text.strip()
    unit = stripped.lstrip("+-0123456789.")
    return stripped[: len(stripped) - len(unit)], unit.strip()


def _positive(number: str) -> bool:
    try:
        value = float(number)
    except ValueError:
        return False
    return math.isfinite(value) and value > 0
