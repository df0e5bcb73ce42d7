"""What a measurement store holds: measurements, failures, reference times, noise floors, training samples."""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar, TypeVar

from typing_extensions import override

from devices.device_info import DeviceInfo
from devices.measurement import NoiseFloor
from foundation.damaged_table import Checks, Derived
from foundation.database import Database
from foundation.errors import UserError
from foundation.schema import Schema
from latency.operators.operator import OperatorGraph
from latency.sample import LatencySample
from latency.store_rows import (
    StoredFailure,
    StoredMeasurement,
    device_of,
    device_row_of,
    failure_of,
    graph_of,
    measurement_of,
    noise_floor_of,
    nominal_ms_of,
    stored_of,
)
from latency.store_samples import Graphs, checked_row, row_with_graph, samples_of
from latency.store_schema import OPERATORS, STATEMENTS

_logger = logging.getLogger(__name__)

_SELECTION = "fingerprint = ?1 AND (?2 IS NULL OR source IN (SELECT value FROM json_each(?2)))"
"""Condition with the fingerprint, and a JSON list of sources or NULL."""
_WITH_LABEL = f"{_SELECTION} AND label = ?3"
"""A condition of its own, so that SQLite uses the index of the labels."""
_NAMED = 3
"""Damaged rows that a warning names."""
T = TypeVar("T")


class StoredMeasurements(Database):
    """What ``MeasurementStore`` reads; its arguments and errors are those of that class."""

    schema = Schema(
        kind="measurement store",
        application_id=0x6C617473,
        version=1,
        statements=STATEMENTS,
        remedy="restore it from a copy, or move it away and profile again",
    )
    checks: ClassVar[Checks] = {
        "devices": device_of,
        "graphs": graph_of,
        "measurements": measurement_of,
        "failures": failure_of,
        "reference_times": nominal_ms_of,
        "noise_floors": noise_floor_of,
    }
    derived: ClassVar[Derived] = {("measurements", "devices"): device_row_of}

    def __init__(
        self, path: Path, *, read_only: bool = False, on_warning: Callable[[str], None] = _logger.warning
    ) -> None:
        super().__init__(path, read_only=read_only)
        self._warn = on_warning

    @property
    @override
    def remedy(self) -> str:
        return f"{_repair(self.path)} saves what can be read; else {self.schema.remedy}"

    def nominal_reference_ms(self, info: DeviceInfo) -> float | None:
        """The nominal time of the reference net on this device, on whose scale all times are read.

        The least one that was stored: other work on the machine makes the net slower, never faster. Where a repair of
        the file has lost them, that of the first measurement.
        """
        known = self._nominal_ms(info.fingerprint)
        if known is not None:
            return known
        first = next(self._of_device("measurements", measurement_of, info.fingerprint), None)
        return None if first is None else first.nominal_reference_ms

    def reference_times_since_the_least(self, info: DeviceInfo) -> int:
        """How often the nominal time was taken without becoming less."""
        known = list(self._of_device("reference_times", nominal_ms_of, info.fingerprint))
        return len(known) - 1 - known.index(min(known)) if known else 0

    def _nominal_ms(self, fingerprint: str) -> float | None:
        """The least stored nominal time in milliseconds; None where none is stored."""
        return min(self._of_device("reference_times", nominal_ms_of, fingerprint), default=None)

    def noise_floor(self, info: DeviceInfo) -> NoiseFloor | None:
        """The latest A/A check on this device."""
        return next(
            self._of_device("noise_floors", noise_floor_of, info.fingerprint, order="noise_floors.id DESC"), None
        )

    def devices(self) -> list[DeviceInfo]:
        """Devices that were measured, in the order in which they were first seen."""
        return list(self._select(device_of, "SELECT fingerprint, info FROM devices ORDER BY rowid"))

    def measured_labels(self, fingerprint: str, *, times: int = 1) -> set[str]:
        """Labels of the models measured on the device at least so many ``times``."""
        often = "SELECT label FROM measurements WHERE fingerprint = ? GROUP BY label HAVING COUNT(*) >= ?"
        return set(self._select(str, often, fingerprint, times))

    def failures(self, fingerprint: str) -> list[StoredFailure]:
        """Failures on the device, oldest first."""
        return list(self._of_device("failures", failure_of, fingerprint))

    def measurements(
        self, fingerprint: str, *, sources: Collection[str] | None = None, label: str | None = None
    ) -> list[StoredMeasurement]:
        """Measurements on the device, oldest first; damaged ones are left out with a warning."""
        damaged: list[str] = []
        where, wanted = (_SELECTION, ()) if label is None else (_WITH_LABEL, (label,))
        rows = self._with_graphs(where, (fingerprint, _as_json(sources), *wanted), damaged.append)
        found = self._on_scale(fingerprint, rows)
        self._tell(damaged, len(found))
        return found

    def latest_of(self, fingerprint: str, graph: OperatorGraph) -> StoredMeasurement | None:
        """The latest measurement of a net with this graph on the device, under any label.

        One with operator times, where there is any: a campaign takes them once for each net.
        """
        alike = f"SELECT key, graph FROM graphs WHERE {OPERATORS} = ?"  # noqa: S608
        keys = [key for key, text in self._fetched(alike, (len(graph.operators),)) if _is_graph(key, text, graph)]
        skip = partial(_logger.warning, "measurement store %s: left out %s", self.path)
        where = "fingerprint = ? AND graph_key IN (SELECT value FROM json_each(?))"
        rows = self._with_graphs(where, (fingerprint, json.dumps(keys)), skip, order="measurements.id DESC")
        found = self._on_scale(fingerprint, rows)
        return next((row for row in found if row.measurement.operators), next(iter(found), None))

    def _on_scale(self, fingerprint: str, rows: Iterable[StoredMeasurement]) -> list[StoredMeasurement]:
        nominal_ms = self._nominal_ms(fingerprint)
        return [replace(row, measurement=row.measurement.on_scale(nominal_ms)) for row in rows]

    def samples(self, fingerprint: str, *, sources: Collection[str] | None = None) -> list[LatencySample]:
        """Training data of predictors: one sample for each operator graph, in the order of its first measurement.

        Files with the same graph are one sample even if their names differ, so that no graph is in both training and
        test data; different graphs of one name get different labels. The latency of a graph that was measured several
        times is the median, and the operator times of the latest measurement that has any are scaled to it.

        Damaged measurements are left out with a warning.

        Raises:
            UserError: pages of the file are damaged.
        """
        self._require_intact()
        graphs, damaged = Graphs(self._graph_text), self._of_unknown_devices(fingerprint)
        rows = self._rows(
            "measurements",
            checked_row(graphs),
            trusting=row_with_graph(graphs),
            where=_SELECTION,
            arguments=(fingerprint, _as_json(sources)),
            on_damage=damaged.append,
        )
        samples, count = samples_of(rows, graphs, self._nominal_ms(fingerprint))
        self._tell(damaged, count)
        _logger.debug("%d samples of %s from %s", len(samples), fingerprint, self.path)
        return samples

    def _of_unknown_devices(self, fingerprint: str) -> list[str]:
        """Measurements of another device that the store does not know: their fingerprint was altered."""
        unknown = "fingerprint <> ? AND fingerprint NOT IN (SELECT fingerprint FROM devices)"
        rows = self._select(int, f"SELECT id FROM measurements WHERE {unknown}", fingerprint)  # noqa: S608
        return [f"row {row} of measurements damaged (of a device that the store does not know)" for row in rows]

    def _graph_text(self, key: str) -> str | None:
        return next(self._select(str, "SELECT graph FROM graphs WHERE key = ?", key), None)

    def _tell(self, damaged: list[str], kept: int) -> None:
        if damaged:
            self._warn(_left_out(self.path, damaged, kept))

    def _with_graphs(
        self, where: str, arguments: tuple[str | int | None, ...], skip: Callable[[str], None], *, order: str = ""
    ) -> Iterator[StoredMeasurement]:
        return self._rows(
            "measurements",
            stored_of,
            where=where,
            arguments=arguments,
            # Not an inner join: a measurement without its graph is damage and not a measurement less.
            join="LEFT JOIN graphs ON graph_key = graphs.key",
            joined="graphs.graph",
            order=order,
            on_damage=skip,
        )

    def _of_device(self, table: str, decode: Callable[..., T], fingerprint: str, *, order: str = "") -> Iterator[T]:
        return self._rows(table, decode, where="fingerprint = ?", arguments=(fingerprint,), order=order)


def _repair(path: Path) -> str:
    return f"`latseg doctor {shlex.quote(str(path.parent))} --repair`"


def _left_out(path: Path, damaged: list[str], kept: int) -> str:
    """A warning about damaged measurements, which names the first ones."""
    named = "; ".join(damaged[:_NAMED]) + ("; ..." if len(damaged) > _NAMED else "")
    return (
        f"measurement store {path}: {len(damaged)} of {len(damaged) + kept} measurements are damaged and were left "
        f"out ({named}); {_repair(path)} removes them"
    )


def _is_graph(key: str, text: str, graph: OperatorGraph) -> bool:
    try:
        return graph_of(key, text) == graph
    except (ValueError, UserError):
        return False


def _as_json(sources: Collection[str] | None) -> str | None:
    return None if sources is None else json.dumps(sorted(sources))
