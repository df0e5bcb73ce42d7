"""Rows of results as a table that a terminal, a notebook and pandas can show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, overload

from foundation.errors import UserError

if TYPE_CHECKING:
    from pandas import DataFrame

Row = dict[str, Any]


class Table(Sequence[Row]):
    """An immutable sequence of rows; each row maps a column's name to its value.

    >>> table = Table([{"kind": "Conv", "ms": 0.5}, {"kind": "Relu", "ms": 0.1}])
    >>> len(table), table[0]["kind"], table.columns, table.column("ms")
    (2, 'Conv', ('kind', 'ms'), [0.5, 0.1])
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = tuple(rows)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns; empty where there are no rows."""
        return tuple(dict.fromkeys(name for row in self._rows for name in row))

    def column(self, name: str) -> list[Any]:
        """The values of one column, None where a row has none."""
        return [row.get(name) for row in self._rows]

    def to_pandas(self) -> DataFrame:
        """The table as a pandas data frame.

        Raises:
            UserError: pandas is not installed.
        """
        try:
            from pandas import DataFrame
        except ImportError as error:
            raise UserError(
                "to_pandas", seen="no pandas", expected="pandas installed", remedy="pip install pandas"
            ) from error
        return DataFrame(list(self._rows))

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> Table: ...

    def __getitem__(self, index: int | slice) -> Row | Table:
        return Table(self._rows[index]) if isinstance(index, slice) else self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __repr__(self) -> str:
        return f"Table({len(self._rows)} rows: {', '.join(self.columns)})"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(str(row.get(name, '')))}</td>" for name in self.columns) + "</tr>"
            for row in self._rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
