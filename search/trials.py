"""The append-only store of a run's trials: SQLite in WAL mode.

Every trial is committed when its quality is known, so ``kill -9`` loses at most the one in flight.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from foundation.errors import UserError
from search.architecture import Architecture
from search.constraints.check import ConstraintCheck
from search.trial import DeviceResult, Trial

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS identity (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS trials (
  position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, architecture TEXT NOT NULL,
  generation INTEGER NOT NULL, parameters INTEGER NOT NULL, flops INTEGER NOT NULL, predicted_ms TEXT NOT NULL,
  upper_ms TEXT NOT NULL, quality REAL NOT NULL, seconds REAL NOT NULL, created TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS rejections (
  generation INTEGER NOT NULL, architecture TEXT NOT NULL, violated TEXT NOT NULL, repaired INTEGER NOT NULL,
  PRIMARY KEY (generation, architecture, violated));
CREATE TABLE IF NOT EXISTS findings (
  position INTEGER PRIMARY KEY AUTOINCREMENT, trial TEXT NOT NULL REFERENCES trials (id), device TEXT NOT NULL,
  measured_ms REAL, low_ms REAL, high_ms REAL, holds INTEGER NOT NULL, simulated INTEGER NOT NULL,
  reason TEXT NOT NULL, created TEXT NOT NULL, UNIQUE (trial, device));
"""


class TrialStore:
    """Trials, rejected candidates and measurements of one run.

    Rows are only ever added. Two processes may write at once: the second to add a trial that is there already adds
    nothing.

    Raises:
        UserError: not such a file, corrupt, or written by a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._told():
            self._connection = sqlite3.connect(path, timeout=30.0)
        try:
            with self._told():
                self._open()
        except UserError:
            self._connection.close()
            raise

    def identify(self, identity: Mapping[str, str]) -> None:
        """Ties the store to a run: the first call writes, later calls compare.

        Raises:
            UserError: the store belongs to another run.
        """
        with self._told(), self._connection:
            for key, value in identity.items():
                self._connection.execute("INSERT OR IGNORE INTO identity VALUES (?, ?)", (key, value))
            stored = dict(self._connection.execute("SELECT key, value FROM identity"))
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
        with self._told(), self._connection:
            statement = f"INSERT OR IGNORE INTO trials ({columns}) VALUES (?{', ?' * 9})"  # noqa: S608
            self._connection.execute(statement, row)

    def add_rejections(self, generation: int, verdicts: Sequence[ConstraintCheck], repaired: Sequence[bool]) -> None:
        """Appends candidates that broke a budget, and whether a repair saved them.

        The same candidate of the same generation counts once, so that a resumed generation is not counted twice.
        """
        rows = [
            (generation, verdict.architecture.id, constraint, int(saved))
            for verdict, saved in zip(verdicts, repaired, strict=True)
            for constraint in verdict.violated
        ]
        with self._told(), self._connection:
            self._connection.executemany("INSERT OR IGNORE INTO rejections VALUES (?, ?, ?, ?)", rows)

    def add_findings(self, trial: Trial, findings: Sequence[DeviceResult]) -> None:
        """Appends what the devices said about a trial; all devices at once."""
        times = [(f.measured_ms, *(f.interval_ms or (None, None))) for f in findings]
        rows = [
            (trial.id, f.device, *ms, f.holds, f.simulated, f.reason, now())
            for f, ms in zip(findings, times, strict=True)
        ]
        columns = "trial, device, measured_ms, low_ms, high_ms, holds, simulated, reason, created"
        with self._told(), self._connection:
            statement = f"INSERT OR IGNORE INTO findings ({columns}) VALUES (?{', ?' * 8})"  # noqa: S608
            self._connection.executemany(statement, rows)

    def trials(self) -> list[Trial]:
        """All trials in the order in which they were evaluated, with their findings."""
        with self._told():
            findings: dict[str, list[DeviceResult]] = {}
            columns = "trial, device, measured_ms, low_ms, high_ms, holds, simulated, reason"
            for trial, *rest in self._connection.execute(f"SELECT {columns} FROM findings ORDER BY position"):  # noqa: S608
                findings.setdefault(trial, []).append(_finding(rest))
            rows = self._connection.execute(
                "SELECT architecture, generation, parameters, flops, predicted_ms, upper_ms, quality, seconds, created "
                "FROM trials ORDER BY position"
            )
            return [_trial(row, findings) for row in rows]

    def measured(self) -> list[str]:
        """Ids of the measured trials in the order in which they were measured."""
        with self._told():
            rows = self._connection.execute("SELECT trial FROM findings GROUP BY trial ORDER BY MIN(position)")
            return [str(trial) for (trial,) in rows]

    def rejected(self) -> dict[str, int]:
        """Number of candidates by the constraint they broke: budgets, then ``measured:<device>``."""
        with self._told():
            query = "SELECT violated, COUNT(*) FROM rejections GROUP BY violated ORDER BY violated"
            counts = {str(name): int(number) for name, number in self._connection.execute(query)}
            query = "SELECT device, COUNT(*) FROM findings WHERE NOT holds GROUP BY device ORDER BY device"
            return counts | {f"measured:{name}": int(number) for name, number in self._connection.execute(query)}

    def repaired(self) -> int:
        """Number of candidates that broke a budget and were repaired."""
        with self._told():
            query = "SELECT COUNT(*) FROM (SELECT DISTINCT generation, architecture FROM rejections WHERE repaired)"
            return int(self._connection.execute(query).fetchone()[0])

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def __enter__(self) -> TrialStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> None:
        version = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
        if version > SCHEMA_VERSION:
            raise UserError(
                f"trial store {self.path}",
                seen=f"schema {version}",
                expected=f"schema {SCHEMA_VERSION} or older",
                remedy="use the version of latseg that wrote it, or a newer one",
            )
        self._connection.execute("PRAGMA journal_mode = WAL")
        # Safe under kill -9; a power cut may cost the last commits, never the file.
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_SCHEMA)
        self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turns what SQLite or a damaged row raises into one line for the user."""
        try:
            yield
        except (sqlite3.Error, json.JSONDecodeError, UserError, TypeError) as error:
            raise UserError(
                f"trial store {self.path}",
                seen=str(error),
                expected="an undamaged trial store in a writable folder with free space",
                remedy="free space or mend the permissions; if the file is damaged, start a new run",
            ) from error


def now() -> str:
    """The moment, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _finding(row: Sequence[object]) -> DeviceResult:
    device, measured_ms, low_ms, high_ms, holds, simulated, reason = row
    return DeviceResult(
        device=str(device),
        measured_ms=None if measured_ms is None else _number(measured_ms),
        interval_ms=None if low_ms is None else (_number(low_ms), _number(high_ms)),
        holds=bool(holds),
        simulated=bool(simulated),
        reason=str(reason),
    )


def _trial(row: Sequence[object], findings: Mapping[str, list[DeviceResult]]) -> Trial:
    text, generation, parameters, flops, predicted_ms, upper_ms, quality, seconds, created = row
    architecture = Architecture.from_json(str(text))
    return Trial(
        architecture=architecture,
        generation=int(_number(generation)),
        parameters=int(_number(parameters)),
        flops=int(_number(flops)),
        predicted_ms=json.loads(str(predicted_ms)),
        upper_ms=json.loads(str(upper_ms)),
        quality=_number(quality),
        seconds=_number(seconds),
        created=str(created),
        findings=tuple(findings.get(architecture.id, ())),
    )


def _number(value: object) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} stands where a number belongs")
    return float(value)
