"""JSON objects with a checksum over their content, so that a changed number is noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foundation.regular_file import read_json

CHECKSUM = "sha256"
"""Key of the checksum."""


def with_checksum(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document, as JSON gives it back, with its checksum.

    Raises:
        ValueError: a number is not finite.
    """
    plain = json.loads(json.dumps(document, allow_nan=False))
    return {**plain, CHECKSUM: checksum_of(plain)}


def without_checksum(document: object, *, required: bool = False) -> dict[str, Any]:
    """The content of a document, compared with its checksum.

    Args:
        document: what a JSON file held.
        required: whether a document without a checksum, as older versions wrote it, is refused.

    Raises:
        ValueError: no JSON object, or other content than its checksum says.
    """
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")
    content = {key: value for key, value in document.items() if key != CHECKSUM}
    if (CHECKSUM in document or required) and document.get(CHECKSUM) != checksum_of(content):
        raise ValueError("other content than its checksum says")
    return content


def read_checked_json(path: Path) -> dict[str, Any]:
    """The content of a JSON file, compared with its checksum if it has one.

    Raises:
        OSError: no regular file, or it cannot be read.
        ValueError: not JSON, a number that is not finite, or other content than its checksum says.
    """
    return without_checksum(read_json(path))


def checksum_of(document: Mapping[str, Any]) -> str:
    """SHA-256, hexadecimal, of the document with sorted keys."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
