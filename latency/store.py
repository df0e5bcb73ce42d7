"""The measurement store: an append-only SQLite file that outlives crashes and takes several writers.

Every call that adds is one transaction, on disk when the call returns: a process killed at any moment loses at most
the measurement in flight. A model measured twice keeps both measurements.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any, Literal, get_args

from devices.device_info import DeviceInfo
from devices.measurement import FailedMeasurement, Measurement, NoiseFloor
from foundation.errors import UserError
from latency.kernel_times import join, join_alone
from latency.measurement_json import device_info_from_json, measurement_from_json, measurement_to_json
from latency.operators.operator import OperatorGraph
from latency.operators.serialize import graph_digest, graph_from_json, graph_to_json
from latency.sample import KernelTime, LatencySample
from latency.schema import connect, corrupt, transaction, user_errors

Source = Literal["campaign", "operator", "winner", "user"]


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


class MeasurementStore:
    """Measurements, failures, reference times and noise floors by device fingerprint.

    Usable as a context manager. One instance belongs to one thread; processes open their own.

    Raises:
        UserError: on opening or writing: broken file, newer schema, full disk, folder that cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = connect(path)

    def __enter__(self) -> MeasurementStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def add_measurement(self, measurement: Measurement, graph: OperatorGraph, *, source: str) -> None:
        """Stores a measurement; ``graph`` should know its tensors' names, so that operator times can be joined."""
        _check_source(source)
        graph_text = _to_text(graph_to_json(graph))
        key = hashlib.sha256(graph_text.encode()).hexdigest()
        fingerprint = measurement.device.fingerprint
        row = (fingerprint, measurement.label, source, key, measurement.latency_ms)
        with transaction(self._connection, self.path):
            self._add_device(measurement.device)
            self._connection.execute("INSERT OR IGNORE INTO graphs VALUES (?, ?)", (key, graph_text))
            self._connection.execute(
                "INSERT INTO measurements (fingerprint, label, source, graph_key, latency_ms, measurement)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (*row, _to_text(measurement_to_json(measurement))),
            )

    def add_failure(self, failure: FailedMeasurement, *, source: str) -> None:
        """Stores that a model could not be measured, and why."""
        _check_source(source)
        row = (failure.label, source, failure.model_sha256, failure.reason, failure.started_at)
        with transaction(self._connection, self.path):
            self._add_device(failure.device)
            self._connection.execute(
                "INSERT INTO failures (fingerprint, label, source, model_sha256, reason, started_at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (failure.device.fingerprint, *row),
            )

    def remember_reference(self, info: DeviceInfo, nominal_ms: float) -> None:
        """Stores the device's nominal time of the reference net."""
        with transaction(self._connection, self.path):
            self._add_device(info)
            self._connection.execute(
                "INSERT INTO reference_times (fingerprint, nominal_ms) VALUES (?, ?)", (info.fingerprint, nominal_ms)
            )

    def nominal_reference_ms(self, info: DeviceInfo) -> float | None:
        """The nominal time of the reference net on this device.

        The first one that was stored, so that all measurements of a store are on one scale, whoever took them.
        """
        query = "SELECT nominal_ms FROM reference_times WHERE fingerprint = ? ORDER BY id LIMIT 1"
        rows = list(self._select(query, info.fingerprint))
        return float(rows[0][0]) if rows else None

    def remember_noise_floor(self, info: DeviceInfo, noise_floor: NoiseFloor) -> None:
        """Stores the outcome of an A/A check."""
        row = (noise_floor.normalised_percent, noise_floor.raw_percent, noise_floor.repeats)
        with transaction(self._connection, self.path):
            self._add_device(info)
            self._connection.execute(
                "INSERT INTO noise_floors (fingerprint, normalised_percent, raw_percent, repeats) VALUES (?, ?, ?, ?)",
                (info.fingerprint, *row),
            )

    def noise_floor(self, info: DeviceInfo) -> NoiseFloor | None:
        """The latest A/A check on this device."""
        query = (
            "SELECT normalised_percent, raw_percent, repeats FROM noise_floors"
            " WHERE fingerprint = ? ORDER BY id DESC LIMIT 1"
        )
        rows = list(self._select(query, info.fingerprint))
        return NoiseFloor(*rows[0]) if rows else None

    def devices(self) -> list[DeviceInfo]:
        """Devices that were measured, in the order in which they were first seen."""
        with self._readable():
            return [
                device_info_from_json(json.loads(row[0]))
                for row in self._select("SELECT info FROM devices ORDER BY rowid")
            ]

    def measured_labels(self, fingerprint: str) -> set[str]:
        """Labels of the models measured on the device."""
        return {
            str(row[0]) for row in self._select("SELECT label FROM measurements WHERE fingerprint = ?", fingerprint)
        }

    def failures(self, fingerprint: str) -> list[StoredFailure]:
        """Failures on the device, oldest first."""
        query = "SELECT label, source, reason FROM failures WHERE fingerprint = ? ORDER BY id"
        return [StoredFailure(*row) for row in self._select(query, fingerprint)]

    def measurements(
        self, fingerprint: str, *, sources: Collection[str] | None = None, label: str | None = None
    ) -> list[StoredMeasurement]:
        """Measurements on the device, oldest first."""
        query = (
            "SELECT measurement, graph, source, label FROM measurements JOIN graphs ON graph_key = key"
            " WHERE fingerprint = ? ORDER BY id"
        )
        with self._readable():
            return [
                StoredMeasurement(measurement_from_json(json.loads(text)), graph_from_json(json.loads(graph)), source)
                for text, graph, source, its_label in self._select(query, fingerprint)
                if (sources is None or source in sources) and label in (None, its_label)
            ]

    def latest_of(self, fingerprint: str, graph: OperatorGraph) -> StoredMeasurement | None:
        """The latest measurement of a net with this graph on the device, under whatever label."""
        query = (
            "SELECT measurement, graph, source FROM measurements JOIN graphs ON graph_key = key WHERE fingerprint = ?"
            " AND json_array_length(graph, '$.operators') = ? ORDER BY id DESC"
        )
        with self._readable():
            for text, its_graph, source in self._select(query, fingerprint, len(graph.operators)):
                stored = graph_from_json(json.loads(its_graph))
                if stored == graph:
                    return StoredMeasurement(measurement_from_json(json.loads(text)), stored, source)
        return None

    def samples(self, fingerprint: str, *, sources: Collection[str] | None = None) -> list[LatencySample]:
        """What predictors learn from: one sample for each operator graph, in the order of its first measurement.

        Files with the same graph are one sample whatever their names, so that none is both learned from and tested on;
        different graphs of one name get labels of their own. Where a graph was measured several times its latency is
        the median of them, and the operator times of the latest are scaled to it.
        """
        by_graph: defaultdict[str, list[StoredMeasurement]] = defaultdict(list)
        for stored in self.measurements(fingerprint, sources=sources):
            by_graph[graph_digest(stored.graph)].append(stored)
        samples: dict[str, LatencySample] = {}
        for digest, measured in by_graph.items():
            name = measured[0].measurement.label
            label = f"{name} ({digest[:8]})" if name in samples else name
            samples[label] = _sample(label, measured)
        return list(samples.values())

    def _add_device(self, info: DeviceInfo) -> None:
        self._connection.execute(
            "INSERT OR IGNORE INTO devices VALUES (?, ?)", (info.fingerprint, _to_text(info.to_json()))
        )

    def _select(self, query: str, *arguments: str | int) -> Iterator[tuple[Any, ...]]:
        with user_errors(self.path):
            rows = self._connection.execute(query, arguments).fetchall()
        yield from rows

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (KeyError, TypeError, ValueError, sqlite3.ProgrammingError) as error:
            raise corrupt(self.path, f"{type(error).__name__}: {error}") from error


def _sample(label: str, stored: list[StoredMeasurement]) -> LatencySample:
    latest = stored[-1]
    latency_ms = median(one.measurement.latency_ms for one in stored)
    scale = latency_ms / latest.measurement.latency_ms
    alone = latest.source == "operator"
    kernels = (join_alone if alone else join)(latest.graph, latest.measurement.operators)
    return LatencySample(
        label=label,
        graph=latest.graph,
        latency_ms=latency_ms,
        kernels=tuple(KernelTime(kernel.operators, kernel.ms * scale) for kernel in kernels),
        single_operator=alone,
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
