"""Errors of libraries as one line."""

from __future__ import annotations

import pytest

from foundation.errors import first_line


@pytest.mark.parametrize(
    ("error", "line"), [(ValueError(" no\nmore "), "no"), (MemoryError(), "MemoryError"), (OSError("\n"), "OSError")]
)
def test_an_error_without_words_is_named_by_its_type(error: Exception, line: str) -> None:
    assert first_line(error) == line
