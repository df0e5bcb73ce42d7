"""Groups of files with the same content."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from foundation.regular_file import PICTURE_BYTES, read_regular


def with_equal_bytes(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Groups of two files or more, in the order given; only files of equal size are read."""
    for alike in _grouped(paths, lambda path: path.stat().st_size if path.is_file() else path):
        yield from _grouped(alike, _digest)


def repeated_files(paths: Sequence[Path]) -> list[Path]:
    """Files whose content an earlier one has."""
    return [again for group in with_equal_bytes(paths) for again in group[1:]]


def _grouped(paths: Iterable[Path], key: Callable[[Path], object]) -> Iterator[list[Path]]:
    groups: defaultdict[object, list[Path]] = defaultdict(list)
    for path in paths:
        groups[key(path)].append(path)
    return (group for group in groups.values() if len(group) > 1)


def _digest(path: Path) -> object:
    """Of a file that cannot be read, the path: whoever reads it later names the reason."""
    try:
        return hashlib.sha256(read_regular(path, limit=PICTURE_BYTES)).digest()
    except OSError:
        return path
