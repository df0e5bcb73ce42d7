"""The measurement store: an append-only SQLite file that outlives crashes and takes several writers.

Every call that adds is one transaction, on disk when the call returns: a process killed at any moment loses at most
the running measurement. A model measured twice keeps both measurements.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Literal, get_args

from pydantic import TypeAdapter

from devices.device_info import DeviceInfo
from devices.measurement import FailedMeasurement, Measurement, NoiseFloor
from devices.plausible import impossible_times
from foundation.errors import UserError
from foundation.row_checksum import Value
from latency.claims import Claims
from latency.operators.operator import OperatorGraph
from latency.operators.serialize import graph_to_json
from latency.store_reading import StoredMeasurements
from latency.store_rows import device_text

Source = Literal["campaign", "operator", "winner", "user"]

_MEASUREMENT = TypeAdapter(Measurement)


class MeasurementStore(StoredMeasurements):
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

    def remember_noise_floor(self, info: DeviceInfo, noise_floor: NoiseFloor) -> None:
        """Stores the outcome of an A/A check."""
        with self._transaction():
            self._add_device(info)
            self._insert("noise_floors", {"fingerprint": info.fingerprint, **asdict(noise_floor)})

    def _add_device(self, info: DeviceInfo) -> None:
        self._connection.execute("INSERT OR IGNORE INTO devices VALUES (?, ?)", (info.fingerprint, device_text(info)))


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
