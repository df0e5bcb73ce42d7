"""An array that grows at its end, as an ``OperatorTable`` does."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[Any]


class RowCache:
    """What is known of each row; appending does not copy what stands, but for a doubling now and then."""

    def __init__(self) -> None:
        self._buffer: Rows | None = None
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, rows: Rows) -> None:
        """Further rows, of the shape and type of those before."""
        count = self._count + len(rows)
        if self._buffer is None or count > len(self._buffer):
            larger = np.empty((2 * count, *rows.shape[1:]), rows.dtype)
            if self._buffer is not None:
                larger[: self._count] = self._buffer[: self._count]
            self._buffer = larger
        self._buffer[self._count : count] = rows
        self._count = count

    def __getitem__(self, rows: NDArray[np.int64]) -> Rows:
        """Gathers rows by number; the index may have any shape."""
        assert self._buffer is not None, "append comes first"
        return self._buffer.take(rows, axis=0)
