"""The measurement store: an append-only SQLite file that outlives crashes and takes several writers.

Every call that adds is one transaction, on disk when the call returns: a process killed at any moment loses at most
the running measurement. A model measured twice keeps both measurements.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shlex
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal, TypeVar, get_args

from pydantic import TypeAdapter
from typing_extensions import override

from devices.device_info import DeviceInfo
from devices.measurement import FailedMeasurement, Measurement, NoiseFloor
from devices.plausible import impossible_times
from foundation.damaged_table import Checks, Derived
from foundation.database import Database
from foundation.errors import UserError
from foundation.row_checksum import Value
from foundation.schema import Schema
from latency.claims import Claims
from latency.operators.operator import OperatorGraph
from latency.operators.serialize import graph_to_json
from latency.sample import LatencySample
from latency.store_rows import (
    StoredFailure,
    StoredMeasurement,
    device_of,
    device_row_of,
    device_text,
    failure_of,
    graph_of,
    measurement_of,
    noise_floor_of,
    nominal_ms_of,
    stored_of,
)
from latency.store_samples import Graphs, checked_row, row_with_graph, samples_of
from latency.store_schema import OPERATORS, STATEMENTS

Source = Literal["campaign", "operator", "winner", "user"]

_logger = logging.getLogger(__name__)

_SELECTION = "fingerprint = ?1 AND (?2 IS NULL OR source IN (SELECT value FROM json_each(?2)))"
"""Condition with the fingerprint, and a JSON list of sources or NULL."""
_WITH_LABEL = f"{_SELECTION} AND label = ?3"
"""A condition of its own, so that SQLite uses the index of the labels."""
_NAMED = 3
"""Damaged rows that a warning names."""
T = TypeVar("T")

_MEASUREMENT = TypeAdapter(Measurement)


class MeasurementStore(Database):
    """Measurements, failures, reference times and noise floors by device fingerprint.

    A measurement that is not as it was written is left out of what is read, with a warning; all else that is damaged
    is an error.

    Args:
        path: the file.
        read_only: as in ``Database``.
        on_warning: called with a line about measurements that were left out; by default it is logged.

    Raises:
        UserError: on opening or writing: broken file, newer schema, full disk, folder that cannot be written.
    """

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

    def claims(self, fingerprint: str, *, retry_failed: bool = False) -> Claims:
        """For a campaign on this device, so that several processes share its items."""
        return Claims(self._transaction, fingerprint, retry_failed=retry_failed)

    def add_measurement(
        self, measurement: Measurement, graph: OperatorGraph, *, source: str, claims: Claims | None = None
    ) -> bool:
        """Stores a measurement; ``graph`` should know its tensors' names, so that operator times can be joined.

        With ``claims`` this ends the claim on the label. Where that was lost to another process, nothing is stored and
        the result is False.

        Raises:
            UserError: a time that no clock can show (``devices.plausible``), or as the class.
        """
        _check_source(source)
        fault = impossible_times(measurement)
        if fault:
            raise UserError(
                f"measurement of {measurement.label}", seen=fault, expected="times above 0", remedy="measure it again"
            )
        graph_text = _to_text(graph_to_json(graph))
        key = hashlib.sha256(graph_text.encode()).hexdigest()
        row: dict[str, Value] = {
            "fingerprint": measurement.device.fingerprint,
            "label": measurement.label,
            "source": source,
            "graph_key": key,
            "latency_ms": measurement.latency_ms,
            "measurement": _MEASUREMENT.dump_json(measurement).decode(),
        }
        with self._transaction() as connection:
            if claims is not None and not claims.settle(connection, measurement.label):
                return False
            self._add_device(measurement.device)
            connection.execute("INSERT OR IGNORE INTO graphs VALUES (?, ?)", (key, graph_text))
            self._insert("measurements", row)
        return True

    def add_failure(self, failure: FailedMeasurement, *, source: str, claims: Claims | None = None) -> bool:
        """Stores that a model could not be measured, and why; ``claims`` as in ``add_measurement``."""
        _check_source(source)
        row: dict[str, Value] = {
            "fingerprint": failure.device.fingerprint,
            "label": failure.label,
            "source": source,
            "model_sha256": failure.model_sha256,
            "reason": failure.reason,
            "started_at": failure.started_at,
        }
        with self._transaction() as connection:
            if claims is not None and not claims.settle(connection, failure.label):
                return False
            self._add_device(failure.device)
            self._insert("failures", row)
        return True

    def remember_reference(self, info: DeviceInfo, nominal_ms: float) -> None:
        """Stores the device's nominal time of the reference net."""
        with self._transaction():
            self._add_device(info)
            self._insert("reference_times", {"fingerprint": info.fingerprint, "nominal_ms": nominal_ms})

    def nominal_reference_ms(self, info: DeviceInfo) -> float | None:
        """The nominal time of the reference net on this device.

        The first one that was stored, so that all measurements of a store are on one scale; where a repair of the file
        has lost it, that of the first measurement.
        """
        known = next(self._of_device("reference_times", nominal_ms_of, info.fingerprint), None)
        if known is not None:
            return known
        first = next(self._of_device("measurements", measurement_of, info.fingerprint), None)
        return None if first is None else first.nominal_reference_ms

    def remember_noise_floor(self, info: DeviceInfo, noise_floor: NoiseFloor) -> None:
        """Stores the outcome of an A/A check."""
        with self._transaction():
            self._add_device(info)
            self._insert("noise_floors", {"fingerprint": info.fingerprint, **asdict(noise_floor)})

    def noise_floor(self, info: DeviceInfo) -> NoiseFloor | None:
        """The latest A/A check on this device."""
        return next(
            self._of_device("noise_floors", noise_floor_of, info.fingerprint, order="noise_floors.id DESC"), None
        )

    def devices(self) -> list[DeviceInfo]:
        """Devices that were measured, in the order in which they were first seen."""
        return list(self._select(device_of, "SELECT fingerprint, info FROM devices ORDER BY rowid"))

    def measured_labels(self, fingerprint: str) -> set[str]:
        """Labels of the models measured on the device."""
        return set(self._select(str, "SELECT label FROM measurements WHERE fingerprint = ?", fingerprint))

    def failures(self, fingerprint: str) -> list[StoredFailure]:
        """Failures on the device, oldest first."""
        return list(self._of_device("failures", failure_of, fingerprint))

    def measurements(
        self, fingerprint: str, *, sources: Collection[str] | None = None, label: str | None = None
    ) -> list[StoredMeasurement]:
        """Measurements on the device, oldest first; damaged ones are left out with a warning."""
        damaged: list[str] = []
        where, wanted = (_SELECTION, ()) if label is None else (_WITH_LABEL, (label,))
        found = list(self._with_graphs(where, (fingerprint, _as_json(sources), *wanted), damaged.append))
        self._tell(damaged, len(found))
        return found

    def latest_of(self, fingerprint: str, graph: OperatorGraph) -> StoredMeasurement | None:
        """The latest measurement of a net with this graph on the device, under any label."""
        alike = f"SELECT key, graph FROM graphs WHERE {OPERATORS} = ?"  # noqa: S608
        keys = [key for key, text in self._fetched(alike, (len(graph.operators),)) if _is_graph(key, text, graph)]
        skip = partial(_logger.warning, "measurement store %s: left out %s", self.path)
        where = "fingerprint = ? AND graph_key IN (SELECT value FROM json_each(?))"
        return next(self._with_graphs(where, (fingerprint, json.dumps(keys)), skip, order="measurements.id DESC"), None)

    def samples(self, fingerprint: str, *, sources: Collection[str] | None = None) -> list[LatencySample]:
        """Training data of predictors: one sample for each operator graph, in the order of its first measurement.

        Files with the same graph are one sample even if their names differ, so that no graph is in both training and
        test data; different graphs of one name get different labels. The latency of a graph that was measured several
        times is the median, and the operator times of the latest measurement are scaled to it.

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
        samples, count = samples_of(rows, graphs)
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

    def _add_device(self, info: DeviceInfo) -> None:
        self._connection.execute("INSERT OR IGNORE INTO devices VALUES (?, ?)", (info.fingerprint, device_text(info)))


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


def _check_source(source: str) -> None:
    if source not in get_args(Source):
        raise UserError(
            "source of a measurement",
            seen=repr(source),
            expected=f"one of {', '.join(get_args(Source))}",
            remedy="name why the model was measured",
        )


def _to_text(data: object) -> str:
    return json.dumps(data, separators=(",", ":"))
