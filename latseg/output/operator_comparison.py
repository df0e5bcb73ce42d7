"""Where the milliseconds of two models differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from latseg.output.operator_table import Row

_KEY = ("kind", "attributes", "output")


def compare_rows(first: Sequence[Row], second: Sequence[Row]) -> list[Row]:
    """One row for each kind, attributes and output shape of either model, the largest difference first.

    Args:
        first: rows of ``latseg.output.operator_table``, of the model that is compared.
        second: the same of the other model.

    Returns:
        ``kind, attributes, output, count_a, count_b, ms_a, ms_b, difference_ms`` (second - first).
    """
    sums = [_sums(rows) for rows in (first, second)]
    rows = []
    for key in dict.fromkeys((*sums[0], *sums[1])):
        (count_a, ms_a), (count_b, ms_b) = (side.get(key, (0, 0.0)) for side in sums)
        named = dict(zip(_KEY, key, strict=True))
        rows.append(
            {
                **named,
                "count_a": count_a,
                "count_b": count_b,
                "ms_a": round(ms_a, 5),
                "ms_b": round(ms_b, 5),
                "difference_ms": round(ms_b - ms_a, 5),
            }
        )
    return sorted(rows, key=lambda row: (-abs(row["difference_ms"]), row["kind"], row["attributes"], row["output"]))


def _sums(rows: Iterable[Row]) -> dict[tuple[str, ...], tuple[int, float]]:
    counts: defaultdict[tuple[str, ...], int] = defaultdict(int)
    times: defaultdict[tuple[str, ...], float] = defaultdict(float)
    for row in rows:
        key = tuple(str(row[name]) for name in _KEY)
        counts[key] += 1
        times[key] += row["ms"]
    return {key: (counts[key], times[key]) for key in counts}
