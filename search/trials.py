"""The append-only store of a run's trials: SQLite in WAL mode.

Every trial is committed when its quality is known, so ``kill -9`` loses at most the running one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from foundation.database import Database, Schema
from foundation.errors import UserError
from search.architecture import Architecture
from search.constraints.budgets import ConstraintCheck
from search.trial import DeviceResult, Trial

_STATEMENTS = (
    "CREATE TABLE IF NOT EXISTS identity (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS trials (
  position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, architecture TEXT NOT NULL,
  generation INTEGER NOT NULL, parameters INTEGER NOT NULL, flops INTEGER NOT NULL, predicted_ms TEXT NOT NULL,
  upper_ms TEXT NOT NULL, quality REAL NOT NULL, seconds REAL NOT NULL, created TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS rejections (
  generation INTEGER NOT NULL, architecture TEXT NOT NULL, violated TEXT NOT NULL, repaired INTEGER NOT NULL,
  PRIMARY KEY (generation, architecture, violated))""",
    """CREATE TABLE IF NOT EXISTS findings (
  position INTEGER PRIMARY KEY AUTOINCREMENT, trial TEXT NOT NULL REFERENCES trials (id), device TEXT NOT NULL,
  measured_ms REAL, low_ms REAL, high_ms REAL, holds INTEGER NOT NULL, simulated INTEGER NOT NULL,
  reason TEXT NOT NULL, created TEXT NOT NULL, UNIQUE (trial, device))""",
)


class TrialStore(Database):
    """Trials, rejected candidates and measurements of one run.

    Rows are only ever added. Two processes may write at once: the second to add a trial that is there already adds
    nothing.

    Raises:
        UserError: not such a file, damaged, or written by a newer version.
    """

    schema = Schema(
        kind="trial store",
        application_id=0x6C617474,
        version=1,
        statements=_STATEMENTS,
        remedy="restore it from a copy, or start a new run",
        unmarked_tables=frozenset({"identity", "trials", "rejections", "findings"}),
    )

    def identify(self, identity: Mapping[str, str]) -> None:
        """Ties the store to a run: the first call writes, later calls compare.

        Raises:
            UserError: the store belongs to another run.
        """
        with self._transaction() as connection:
            connection.executemany("INSERT OR IGNORE INTO identity VALUES (?, ?)", list(identity.items()))
            stored = dict(connection.execute("SELECT key, value FROM identity"))
        for key, value in identity.items():
            if stored[key] != value:
                raise UserError(
                    f"trial store {self.path}",
                    seen=f"{key} {value}",
                    expected=f"{key} {stored[key]}, as the run began",
                    remedy="resume with the run's own settings, or start a new run",
                )

    def add(self, trial: Trial) -> None:
        """Appends an evaluated trial."""
        row = (
            trial.id,
            trial.architecture.to_json(),
            trial.generation,
            trial.parameters,
            trial.flops,
            json.dumps(dict(trial.predicted_ms)),
            json.dumps(dict(trial.upper_ms)),
            trial.quality,
            trial.seconds,
            trial.created,
        )
        columns = "id, architecture, generation, parameters, flops, predicted_ms, upper_ms, quality, seconds, created"
        with self._transaction() as connection:
            statement = f"INSERT OR IGNORE INTO trials ({columns}) VALUES (?{', ?' * 9})"  # noqa: S608
            connection.execute(statement, row)

    def add_rejections(self, generation: int, checks: Sequence[ConstraintCheck], repaired: Sequence[bool]) -> None:
        """Appends candidates that violated a budget, and whether a repair saved them.

        The same candidate of the same generation counts once, so that a resumed generation is not counted twice.
        """
        rows = [
            (generation, check.architecture.id, constraint, int(saved))
            for check, saved in zip(checks, repaired, strict=True)
            for constraint in check.violated
        ]
        with self._transaction() as connection:
            connection.executemany("INSERT OR IGNORE INTO rejections VALUES (?, ?, ?, ?)", rows)

    def add_results(self, trial: Trial, results: Sequence[DeviceResult]) -> None:
        """Appends the device results of a trial; all devices at once."""
        times = [(f.measured_ms, *(f.interval_ms or (None, None))) for f in results]
        rows = [
            (trial.id, f.device, *ms, f.holds, f.simulated, f.reason, now())
            for f, ms in zip(results, times, strict=True)
        ]
        columns = "trial, device, measured_ms, low_ms, high_ms, holds, simulated, reason, created"
        with self._transaction() as connection:
            statement = f"INSERT OR IGNORE INTO findings ({columns}) VALUES (?{', ?' * 8})"  # noqa: S608
            connection.executemany(statement, rows)

    def trials(self) -> list[Trial]:
        """All trials in the order in which they were evaluated, with their device results."""
        results: dict[str, list[DeviceResult]] = {}
        query = (
            "SELECT trial, device, reason, holds, simulated, measured_ms, low_ms, high_ms"
            " FROM findings ORDER BY position"
        )
        for trial, result in self._select(_result, query):
            results.setdefault(trial, []).append(result)
        query = (
            "SELECT architecture, predicted_ms, upper_ms, created, generation, parameters, flops, quality, seconds"
            " FROM trials ORDER BY position"
        )
        trials = self._select(_trial, query)
        return [replace(trial, results=tuple(results.get(trial.id, ()))) for trial in trials]

    def measured(self) -> list[str]:
        """Ids of the measured trials in the order in which they were measured."""
        return list(self._select(str, "SELECT trial FROM findings GROUP BY trial ORDER BY MIN(position)"))

    def rejected(self) -> dict[str, int]:
        """Number of candidates by the constraint they violated: budgets, then ``measured:<device>``."""
        violated = "SELECT violated, COUNT(*) FROM rejections GROUP BY violated ORDER BY violated"
        measured = (
            "SELECT 'measured:' || device, COUNT(*) FROM findings WHERE NOT holds GROUP BY device ORDER BY device"
        )
        return dict([*self._select(_count, violated), *self._select(_count, measured)])

    def repaired(self) -> int:
        """Number of candidates that violated a budget and were repaired."""
        query = "SELECT COUNT(*) FROM (SELECT DISTINCT generation, architecture FROM rejections WHERE repaired)"
        return next(self._select(int, query))


def now() -> str:
    """The moment, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _count(name: str, number: int) -> tuple[str, int]:
    return name, number


def _result(
    trial: str, device: str, reason: str, holds: int, simulated: int, *times_ms: float | None
) -> tuple[str, DeviceResult]:
    measured_ms, low_ms, high_ms = (None if ms is None else float(ms) for ms in times_ms)
    interval_ms = None if low_ms is None or high_ms is None else (low_ms, high_ms)
    return trial, DeviceResult(device, measured_ms, interval_ms, bool(holds), bool(simulated), reason)


def _trial(architecture: str, predicted_ms: str, upper_ms: str, created: str, *numbers: float) -> Trial:
    generation, parameters, flops = map(int, numbers[:3])
    quality, seconds = map(float, numbers[3:])
    return Trial(
        architecture=Architecture.from_json(architecture),
        generation=generation,
        parameters=parameters,
        flops=flops,
        predicted_ms=json.loads(predicted_ms),
        upper_ms=json.loads(upper_ms),
        quality=quality,
        seconds=seconds,
        created=created,
    )
