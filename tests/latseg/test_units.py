"""Quantities with units."""

from __future__ import annotations

import pytest

from foundation.errors import UserError
from latseg.units import (
    as_latency_ms,
    format_count,
    format_latency_ms,
    parse_latency_ms,
    parse_parameters,
    parse_shape,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "expected"), [("8ms", 8.0), ("900us", 0.9), ("0.01s", 10.0), (" 2.5 ms ", 2.5), ("1e3us", None)]
)
def test_latencies(text: str, expected: float | None) -> None:
    if expected is None:
        with pytest.raises(UserError):
            parse_latency_ms(text)
    else:
        assert parse_latency_ms(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["8", "-3ms", "0ms", "8 min", "ms", "", "nanms", "8MB"])
def test_latencies_that_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="positive time with its unit") as caught:
        parse_latency_ms(text)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("value", [8.0, 1.23456789, 0.1 + 0.2, 1e-5, 1e22, 123456.7])
def test_a_latency_is_written_as_it_is_read(value: float) -> None:
    assert parse_latency_ms(format_latency_ms(value)) == as_latency_ms(value) == value


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_numbers_that_are_no_latency(value: float) -> None:
    with pytest.raises(UserError, match="positive number of milliseconds"):
        as_latency_ms(value)


def test_a_bare_number_is_told_its_unit() -> None:
    with pytest.raises(UserError, match="write 8ms"):
        parse_latency_ms("8")


@pytest.mark.parametrize(("text", "expected"), [("0.4M", 400_000), ("400K", 400_000), ("123", 123), ("1.5k", 1500)])
def test_parameters(text: str, expected: int) -> None:
    assert parse_parameters(text) == expected


@pytest.mark.parametrize("text", ["-1M", "0", "0.4 MB", "many", "8ms"])
def test_parameters_that_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="positive count"):
        parse_parameters(text)


def test_sizes_and_shapes() -> None:
    assert parse_size("256x192") == (256, 192)
    assert parse_shape("image=1x3x224x224") == ("image", (1, 3, 224, 224))
    for text in ("256", "256x0", "x192", "axb", "1x" + "9" * 10):
        with pytest.raises(UserError):
            parse_size(text)
    for text in ("1x3x4", "image=", "image=1xx3", "image=1x0", "image=1x" + "9" * 5000, "image=1x٣"):
        with pytest.raises(UserError):
            parse_shape(text)


def test_counts_for_people() -> None:
    assert [format_count(n) for n in (312, 4321, 412_345)] == ["312", "4.3 K", "0.412 M"]
