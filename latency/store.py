"""The measurement store: an append-only SQLite file that outlives crashes and takes several writers.

Every call that adds is one transaction, on disk when the call returns: a process killed at any moment loses at most
the running measurement. A model measured twice keeps both measurements.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from statistics import median
from typing import Literal, get_args

from pydantic import TypeAdapter

from devices.device_info import DeviceInfo
from devices.measurement import FailedMeasurement, Measurement, NoiseFloor
from foundation.database import Database, Schema
from foundation.errors import UserError
from latency.claims import Claims
from latency.kernel_times import join, join_single_operator
from latency.operators.operator import OperatorGraph
from latency.operators.serialize import graph_digest, graph_from_json, graph_to_json
from latency.sample import KernelTime, LatencySample

Source = Literal["campaign", "operator", "winner", "user"]

_logger = logging.getLogger(__name__)

_TABLES = {
    "devices": "fingerprint TEXT PRIMARY KEY, info TEXT NOT NULL",
    "graphs": "key TEXT PRIMARY KEY, graph TEXT NOT NULL",
    "measurements": """id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL REFERENCES devices, label TEXT NOT NULL,
        source TEXT NOT NULL, graph_key TEXT NOT NULL REFERENCES graphs, latency_ms REAL NOT NULL,
        measurement TEXT NOT NULL""",
    "failures": """id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL REFERENCES devices, label TEXT NOT NULL,
        source TEXT NOT NULL, model_sha256 TEXT NOT NULL, reason TEXT NOT NULL, started_at TEXT NOT NULL""",
    "reference_times": """id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL REFERENCES devices,
        nominal_ms REAL NOT NULL""",
    "noise_floors": """id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL REFERENCES devices,
        normalised_percent REAL NOT NULL, raw_percent REAL NOT NULL, repeats INTEGER NOT NULL""",
}
_INDICES = ("measurements", "failures", "reference_times", "noise_floors")

_MEASUREMENT = TypeAdapter(Measurement)
_DEVICE = TypeAdapter(DeviceInfo)


@dataclass(frozen=True, slots=True)
class StoredMeasurement:
    """A measurement with the graph of the measured model and why it was taken."""

    measurement: Measurement
    graph: OperatorGraph
    source: str


@dataclass(frozen=True, slots=True)
class StoredFailure:
    """A model that could not be measured."""

    label: str
    source: str
    reason: str


def _statements() -> tuple[str, ...]:
    tables = [f"CREATE TABLE IF NOT EXISTS {table} ({columns}) STRICT" for table, columns in _TABLES.items()]
    triggers = [
        f"CREATE TRIGGER IF NOT EXISTS {table}_{change.lower()} BEFORE {change} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for table in _TABLES
        for change in ("UPDATE", "DELETE")
    ]
    indices = [f"CREATE INDEX IF NOT EXISTS {table}_by_device ON {table} (fingerprint)" for table in _INDICES]
    return (*tables, *triggers, *indices)


class MeasurementStore(Database):
    """Measurements, failures, reference times and noise floors by device fingerprint.

    Raises:
        UserError: on opening or writing: broken file, newer schema, full disk, folder that cannot be written.
    """

    schema = Schema(
        kind="measurement store",
        application_id=0x6C617473,
        version=1,
        statements=_statements(),
        remedy="restore it from a copy, or move it away and profile again",
    )

    def claims(self, fingerprint: str, *, retry_failed: bool = False) -> Claims:
        """For a campaign on this device, so that several processes share its items."""
        return Claims(self._transaction, fingerprint, retry_failed=retry_failed)

    def add_measurement(
        self, measurement: Measurement, graph: OperatorGraph, *, source: str, claims: Claims | None = None
    ) -> bool:
        """Stores a measurement; ``graph`` should know its tensors' names, so that operator times can be joined.

        With ``claims`` this ends the claim on the label. Where that was lost to another process, nothing is stored and
        the result is False.
        """
        _check_source(source)
        graph_text = _to_text(graph_to_json(graph))
        key = hashlib.sha256(graph_text.encode()).hexdigest()
        fingerprint = measurement.device.fingerprint
        row = (fingerprint, measurement.label, source, key, measurement.latency_ms)
        with self._transaction() as connection:
            if claims is not None and not claims.settle(connection, measurement.label):
                return False
            self._add_device(measurement.device)
            connection.execute("INSERT OR IGNORE INTO graphs VALUES (?, ?)", (key, graph_text))
            connection.execute(
                "INSERT INTO measurements (fingerprint, label, source, graph_key, latency_ms, measurement)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (*row, _MEASUREMENT.dump_json(measurement).decode()),
            )
        return True

    def add_failure(self, failure: FailedMeasurement, *, source: str, claims: Claims | None = None) -> bool:
        """Stores that a model could not be measured, and why; ``claims`` as in ``add_measurement``."""
        _check_source(source)
        row = (failure.label, source, failure.model_sha256, failure.reason, failure.started_at)
        with self._transaction() as connection:
            if claims is not None and not claims.settle(connection, failure.label):
                return False
            self._add_device(failure.device)
            connection.execute(
                "INSERT INTO failures (fingerprint, label, source, model_sha256, reason, started_at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (failure.device.fingerprint, *row),
            )
        return True

    def remember_reference(self, info: DeviceInfo, nominal_ms: float) -> None:
        """Stores the device's nominal time of the reference net."""
        with self._transaction() as connection:
            self._add_device(info)
            connection.execute(
                "INSERT INTO reference_times (fingerprint, nominal_ms) VALUES (?, ?)", (info.fingerprint, nominal_ms)
            )

    def nominal_reference_ms(self, info: DeviceInfo) -> float | None:
        """The nominal time of the reference net on this device.

        The first one that was stored, so that all measurements of a store are on one scale.
        """
        query = "SELECT nominal_ms FROM reference_times WHERE fingerprint = ? ORDER BY id LIMIT 1"
        return next(self._select(float, query, info.fingerprint), None)

    def remember_noise_floor(self, info: DeviceInfo, noise_floor: NoiseFloor) -> None:
        """Stores the outcome of an A/A check."""
        row = (noise_floor.normalised_percent, noise_floor.raw_percent, noise_floor.repeats)
        with self._transaction() as connection:
            self._add_device(info)
            connection.execute(
                "INSERT INTO noise_floors (fingerprint, normalised_percent, raw_percent, repeats) VALUES (?, ?, ?, ?)",
                (info.fingerprint, *row),
            )

    def noise_floor(self, info: DeviceInfo) -> NoiseFloor | None:
        """The latest A/A check on this device."""
        query = (
            "SELECT normalised_percent, raw_percent, repeats FROM noise_floors"
            " WHERE fingerprint = ? ORDER BY id DESC LIMIT 1"
        )
        return next(self._select(NoiseFloor, query, info.fingerprint), None)

    def devices(self) -> list[DeviceInfo]:
        """Devices that were measured, in the order in which they were first seen."""
        return list(self._select(_DEVICE.validate_json, "SELECT info FROM devices ORDER BY rowid"))

    def measured_labels(self, fingerprint: str) -> set[str]:
        """Labels of the models measured on the device."""
        return set(self._select(str, "SELECT label FROM measurements WHERE fingerprint = ?", fingerprint))

    def failures(self, fingerprint: str) -> list[StoredFailure]:
        """Failures on the device, oldest first."""
        query = "SELECT label, source, reason FROM failures WHERE fingerprint = ? ORDER BY id"
        return list(self._select(StoredFailure, query, fingerprint))

    def measurements(
        self, fingerprint: str, *, sources: Collection[str] | None = None, label: str | None = None
    ) -> list[StoredMeasurement]:
        """Measurements on the device, oldest first."""
        query = (
            "SELECT measurement, graph, source FROM measurements JOIN graphs ON graph_key = key"
            " WHERE fingerprint = ?1 AND (?2 IS NULL OR label = ?2)"
            " AND (?3 IS NULL OR source IN (SELECT value FROM json_each(?3))) ORDER BY id"
        )
        wanted = None if sources is None else json.dumps(sorted(sources))
        return list(self._select(_stored, query, fingerprint, label, wanted))

    def latest_of(self, fingerprint: str, graph: OperatorGraph) -> StoredMeasurement | None:
        """The latest measurement of a net with this graph on the device, under any label."""
        query = (
            "SELECT measurement, graph, source FROM measurements JOIN graphs ON graph_key = key WHERE fingerprint = ?"
            " AND json_array_length(graph, '$.operators') = ? ORDER BY id DESC"
        )
        candidates = self._select(_stored, query, fingerprint, len(graph.operators))
        return next((stored for stored in candidates if stored.graph == graph), None)

    def samples(self, fingerprint: str, *, sources: Collection[str] | None = None) -> list[LatencySample]:
        """Training data of predictors: one sample for each operator graph, in the order of its first measurement.

        Files with the same graph are one sample even if their names differ, so that no graph is in both training and
        test data; different graphs of one name get different labels. The latency of a graph that was measured several
        times is the median, and the operator times of the latest measurement are scaled to it.
        """
        by_graph: defaultdict[str, list[StoredMeasurement]] = defaultdict(list)
        for stored in self.measurements(fingerprint, sources=sources):
            by_graph[graph_digest(stored.graph)].append(stored)
        samples: dict[str, LatencySample] = {}
        for digest, measured in by_graph.items():
            name = measured[0].measurement.label
            label = f"{name} ({digest[:8]})" if name in samples else name
            samples[label] = _sample(label, measured)
        _logger.debug("%d samples of %s from %s", len(samples), fingerprint, self.path)
        return list(samples.values())

    def _add_device(self, info: DeviceInfo) -> None:
        self._connection.execute(
            "INSERT OR IGNORE INTO devices VALUES (?, ?)", (info.fingerprint, _to_text(info.to_json()))
        )


def _stored(measurement: str, graph: str, source: str) -> StoredMeasurement:
    return StoredMeasurement(_MEASUREMENT.validate_json(measurement), graph_from_json(json.loads(graph)), source)


def _sample(label: str, stored: list[StoredMeasurement]) -> LatencySample:
    latest = stored[-1]
    latency_ms = median(one.measurement.latency_ms for one in stored)
    scale = latency_ms / latest.measurement.latency_ms
    single_operator = latest.source == "operator"
    kernels = (join_single_operator if single_operator else join)(latest.graph, latest.measurement.operators)
    return LatencySample(
        label=label,
        graph=latest.graph,
        latency_ms=latency_ms,
        kernels=tuple(KernelTime(kernel.operators, kernel.ms * scale) for kernel in kernels),
        single_operator=single_operator,
    )


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
