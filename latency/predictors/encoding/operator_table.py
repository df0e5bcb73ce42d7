"""Caches of what is known of each different operator: the nets of a space share most of theirs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latency.operators.operator import Operator, OperatorGraph
from latency.predictors.encoding.features import Features, features

Rows = NDArray[Any]
_LIMIT = 200_000
"""Operators after which a table is replaced by a new one."""


class OperatorTable:
    """Gives every different operator a row number and keeps its features.

    Operators are looked up by identity first (builders return one object for equal operators), then by signature.
    """

    def __init__(self) -> None:
        self.features: list[Features] = []
        self.operators: list[Operator] = []
        self._by_identity: dict[int, tuple[Operator, int]] = {}
        self._by_signature: dict[tuple[object, ...], int] = {}

    @property
    def full(self) -> bool:
        """Whether the table takes so much memory that it should be replaced by a new one."""
        return len(self.features) > _LIMIT or len(self._by_identity) > 4 * _LIMIT

    def rows(self, graph: OperatorGraph) -> list[int]:
        """Row of each operator of the graph; new operators are added."""
        known = self._by_identity
        result = []
        for operator in graph.operators:
            entry = known.get(id(operator))
            # The entry keeps its operator alive, so an identity is never reused for another one.
            result.append(self._add(operator) if entry is None else entry[1])
        return result

    def _add(self, operator: Operator) -> int:
        row = self._by_signature.get(operator.signature)
        if row is None:
            row = self._by_signature[operator.signature] = len(self.features)
            self.features.append(features(operator))
            self.operators.append(operator)
        self._by_identity[id(operator)] = (operator, row)
        return row


class RowCache:
    """Array with one row for each row of an ``OperatorTable``; appending rarely copies (its memory doubles)."""

    def __init__(self) -> None:
        self._buffer: Rows | None = None
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, rows: Rows) -> None:
        """Adds rows of the same shape and type."""
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
