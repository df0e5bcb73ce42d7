"""The leaves of a manifest, the ways to edit one, and the leaves of which an edit is not found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

NOT_DERIVED = {
    r"architecture\..*": "of a space that only latseg knows (tests/latseg/test_architecture_check.py)",
    r"task\.task": "a name in words; nothing in the files depends on it",
    r"certificates\.0\.device\.(clock_mhz|load_average)": "the state of a moment that is gone",
    r"certificates\.0\.device\.unit": "which of several equal devices it was",
    r"certificates\.0\.cpu_per_wall": "samples hold no processor time; it may only be below the limit",
    r"certificates\.0\.first_run_ms": "the run before the samples",
    r"certificates\.0\.blocks\.\d+\.(candidate_ms|reference_ms|waited_ms|runs)": "a sample that moves no result",
    r"quality\.0\.value": "by less than the digits of README.md",
}
"""Paths of leaves of which some edit passes, and why."""


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Paths of all values that hold no others, and of all lists."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from leaves(one, (*path, key))
    elif isinstance(value, list):
        yield from (path,) if value else ()
        for number, one in enumerate(value):
            yield from leaves(one, (*path, number))
    elif value is not None:
        yield path


def edits(value: Any) -> Iterator[Any]:
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, 2 * value, value // 2) if value else (1,)
    elif isinstance(value, float):
        yield from (value * 1.1, value * 0.9, value * 10, -value) if value else (0.1, -0.1)
    elif isinstance(value, str):
        yield from (value + "x", value[1:], value[:-1]) if value else ("y",)
    elif isinstance(value, list):
        yield from (value[:-1], value[1:], [])
