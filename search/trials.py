"""The append-only store of a run's trials: SQLite in WAL mode.

Every trial is committed when its quality is known, so ``kill -9`` loses at most the running one.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from foundation.damaged_table import Checks
from foundation.database import Database
from foundation.errors import UserError
from foundation.row_checksum import Value
from foundation.schema import Schema
from search.constraints.budgets import ConstraintCheck
from search.known_prediction import KnownPrediction
from search.trial import DeviceResult, Trial
from search.trial_rows import (
    check_rejection,
    count_of,
    exhaustion_of,
    identity_of,
    named_trial_of,
    prediction_of,
    result_of,
    row_of,
    trial_of,
)
from search.trial_schema import ADDED, STATEMENTS

_MEASURED = "id IN (SELECT trial FROM findings)"


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
        statements=STATEMENTS,
        remedy="restore it from a copy, or start a new run",
        unmarked_tables=frozenset({"identity", "trials", "rejections", "findings"}),
        added_tables=ADDED,
    )
    checks: ClassVar[Checks] = {
        "identity": identity_of,
        "trials": trial_of,
        "rejections": check_rejection,
        "findings": result_of,
        "predictions": prediction_of,
        "exhaustions": exhaustion_of,
    }

    @property
    @override
    def remedy(self) -> str:
        command = f"`latseg doctor {shlex.quote(str(_workspace(self.path)))} --repair`"
        return f"{command} saves what can be read; else {self.schema.remedy}"

    def identify(self, identity: Mapping[str, str]) -> None:
        """Ties the store to a run: the first call writes, later calls compare.

        Raises:
            UserError: the store belongs to another run.
        """
        with self._transaction():
            for key, value in identity.items():
                self._insert("identity", {"key": key, "value": value}, or_ignore=True)
            stored = dict(self._rows("identity", identity_of))
        for key, value in identity.items():
            if stored.get(key) != value:
                raise UserError(
                    f"trial store {self.path}",
                    seen=f"{key} {value}",
                    expected=f"{key} {stored.get(key)}, as the run began",
                    remedy="resume with the run's own settings, or start a new run",
                )

    def add(self, *trials: Trial) -> None:
        """Appends evaluated trials, all or none."""
        with self._transaction():
            for trial in trials:
                self._insert("trials", row_of(trial), or_ignore=True)
                self._insert_predictions(trial)

    def add_rejections(self, generation: int, checks: Sequence[ConstraintCheck], repaired: Sequence[bool]) -> None:
        """Appends candidates that violated a budget, and whether a repair saved them.

        The same candidate of the same generation counts once, so that a resumed generation is not counted twice.
        """
        with self._transaction():
            for check, saved in zip(checks, repaired, strict=True):
                row: dict[str, Value] = {"generation": generation, "architecture": check.architecture.id}
                for constraint in check.violated:
                    full = {**row, "violated": constraint, "repaired": saved}
                    self._insert("rejections", full, or_ignore=True)

    def add_results(self, trial: Trial, results: Sequence[DeviceResult]) -> None:
        """Appends the device results of a trial; all devices at once."""
        with self._transaction():
            for result in results:
                low_ms, high_ms = result.interval_ms or (None, None)
                row: dict[str, Value] = {
                    "trial": trial.id,
                    "device": result.device,
                    "measured_ms": result.measured_ms,
                    "low_ms": low_ms,
                    "high_ms": high_ms,
                    "holds": result.holds,
                    "simulated": result.simulated,
                    "reason": result.reason,
                    "created": now(),
                }
                self._insert("findings", row, or_ignore=True)

    def add_exhaustion(self, stop: int, trials: int) -> None:
        """Notes that no new candidate was found after so many trials where ``stop`` were wanted."""
        with self._transaction():
            self._insert("exhaustions", {"stop": stop, "trials": trials}, or_ignore=True)

    def exhaustions(self) -> dict[int, int]:
        """Numbers of trials after which no new candidate was found, by the number that was wanted."""
        return dict(self._rows("exhaustions", exhaustion_of))

    def add_predictions(self, trials: Sequence[Trial]) -> None:
        """Appends what was predicted of known trials; the latest prediction of a trial on a device counts."""
        if trials:
            with self._transaction():
                for trial in trials:
                    self._insert_predictions(trial)

    def trials(self) -> list[Trial]:
        """All trials in the order in which they were evaluated, with their device results and known predictions."""
        self._require_intact()
        for _ in self._rows("rejections", check_rejection):
            pass  # they are only counted later
        results, predictions = self.results(), self._predictions()
        return [
            replace(trial, results=tuple(results.get(key, ())), predictions=predictions.get(key, {}))
            for key, trial in self._rows("trials", named_trial_of)
        ]

    def measured_trials(self) -> list[Trial]:
        """Measured trials in the order in which they were measured, with their device results."""
        results = self.results()
        trials = dict(self._rows("trials", named_trial_of, where=_MEASURED))
        return [replace(trials[key], results=tuple(found)) for key, found in results.items()]

    def results(self) -> dict[str, list[DeviceResult]]:
        """Results of the measured trials by id, in the order in which they were measured."""
        results: dict[str, list[DeviceResult]] = {}
        for trial, result in self._rows("findings", result_of):
            results.setdefault(trial, []).append(result)
        return results

    def measured(self) -> list[str]:
        """Ids of the measured trials in the order in which they were measured."""
        return list(self._select(str, "SELECT trial FROM findings GROUP BY trial ORDER BY MIN(position)"))

    def rejected(self) -> dict[str, int]:
        """Number of candidates by the constraint they violated: budgets, then ``measured:<device>``."""
        violated = "SELECT violated, COUNT(*) FROM rejections GROUP BY violated ORDER BY violated"
        measured = (
            "SELECT 'measured:' || device, COUNT(*) FROM findings WHERE NOT holds GROUP BY device ORDER BY device"
        )
        return dict([*self._select(count_of, violated), *self._select(count_of, measured)])

    def repaired(self) -> int:
        """Number of candidates that violated a budget and were repaired."""
        query = "SELECT COUNT(*) FROM (SELECT DISTINCT generation, architecture FROM rejections WHERE repaired)"
        return next(self._select(int, query))

    def _predictions(self) -> dict[str, dict[str, KnownPrediction]]:
        """By trial and device."""
        found: dict[str, dict[str, KnownPrediction]] = {}
        for trial, device, prediction in self._rows("predictions", prediction_of):
            found.setdefault(trial, {})[device] = prediction
        return found

    def _insert_predictions(self, trial: Trial) -> None:
        for device, prediction in trial.predictions.items():
            self._insert("predictions", {"trial": trial.id, "device": device, **asdict(prediction)})


def now() -> str:
    """The moment, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _workspace(path: Path) -> Path:
    """The folder of the workspace; that of the file where it is not in a run's folder."""
    runs = path.absolute().parent.parent
    return path.parents[2] if runs.name == "runs" and len(path.parents) > 2 else path.parent
