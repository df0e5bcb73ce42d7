"""A checksum over the values of one row: SQLite itself does not notice a changed digit within a value."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from foundation.errors import UserError

Value = str | bytes | float | None
DAMAGE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError, UserError)
"""What decoding the values of a damaged row may raise."""
_DIGITS = 16
_LENGTH = 160


def row_checksum(values: Iterable[Value]) -> str:
    """Sixteen hexadecimal digits of SHA-256 over the values.

    Whole numbers and truth values count as the real numbers that they equal, since SQLite converts them to a column's
    type.
    """
    digest = hashlib.sha256()
    for value in values:
        content = _encoded(value)
        digest.update(b"%d:" % len(content) + content)
    return digest.hexdigest()[:_DIGITS]


def _encoded(value: Value) -> bytes:
    match value:
        case None:
            return b"-"
        case str():
            return b"t" + value.encode("utf-8", "surrogatepass")
        case bytes():  # a damaged file may hold any type anywhere
            return b"b" + value
        case _:
            return b"n" + float(value).hex().encode()


def check_row(values: Iterable[Value], expected: object) -> None:
    """Compares the values with the checksum that was stored with them; a row of an older program has none.

    Raises:
        ValueError: they differ.
    """
    if expected is not None and row_checksum(values) != expected:
        raise ValueError("its values are not those that were written")


def described(error: Exception) -> str:
    """The error in one line of bounded length."""
    text = str(error.seen) if isinstance(error, UserError) else str(error)
    line = " ".join(text.split()) or type(error).__name__
    line = f"{type(error).__name__}: {line}" if isinstance(error, LookupError) else line
    return line if len(line) <= _LENGTH else f"{line[:_LENGTH]}..."
