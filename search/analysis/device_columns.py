"""The columns of ``trials.csv`` that are about one device, by their names."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from search.analysis.search_log import LATENCY, Cost, Matrix, SearchLog, Vector, latency_cost

_PREDICTED, _MEASURED = "predicted_ms:", "measured_ms:"


def is_of_device(column: str) -> bool:
    """Whether the column is one of ``trials.csv`` about a device, in milliseconds."""
    return column.startswith((LATENCY, _PREDICTED, _MEASURED))


def predicted_and_measured(log: SearchLog) -> dict[str, Vector]:
    """The latencies of a log by column."""
    columns: dict[str, Vector] = {}
    for device, pairs in log.latencies.items():
        columns[f"{_PREDICTED}{device}"], columns[f"{_MEASURED}{device}"] = pairs.T
    return columns


def bounds_of(columns: Mapping[str, Vector]) -> list[Cost]:
    """The latency bounds; their limits are not known."""
    return [latency_cost(name.removeprefix(LATENCY), values) for name, values in columns.items() if _is_bound(name)]


def latencies_of(columns: Mapping[str, Vector]) -> dict[str, Matrix]:
    """By device ``n x 2``: predicted and measured; NaN for a column that is missing."""
    devices = dict.fromkeys(name.partition(":")[2] for name in columns if not _is_bound(name))
    unknown = np.full_like(next(iter(columns.values()), np.empty(0)), np.nan)
    return {
        device: np.column_stack([columns.get(f"{kind}{device}", unknown) for kind in (_PREDICTED, _MEASURED)])
        for device in devices
    }


def _is_bound(column: str) -> bool:
    return column.startswith(LATENCY)
