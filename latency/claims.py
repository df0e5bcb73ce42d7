"""Claims on items of a campaign: of several processes that work on one store, one measures an item and no other.

A claim ends when its item is measured, fails, or is released. The claim of a process that has ended is void, and so is
one older than an hour, whose process may have been stopped or be on another machine. If such a process goes on after
all, its result is dropped, since the item is no longer its own.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from uuid import uuid4

from foundation.process_identity import ProcessIdentity, this_process

POLL_S = 0.5
STALE_S = 3600.0
"""Longer than any group of a campaign takes."""
_logger = logging.getLogger(__name__)

_TABLE = """CREATE TABLE IF NOT EXISTS claims (fingerprint TEXT NOT NULL, label TEXT NOT NULL, owner TEXT NOT NULL,
    host TEXT NOT NULL, pid INTEGER NOT NULL, started TEXT NOT NULL, claimed_at REAL NOT NULL,
    PRIMARY KEY (fingerprint, label)) STRICT"""
_SETTLED = """SELECT label FROM measurements
    WHERE fingerprint = ?1 AND label IN (SELECT value FROM json_each(?2)) GROUP BY label HAVING COUNT(*) >= ?4
    UNION SELECT label FROM failures
    WHERE fingerprint = ?1 AND label IN (SELECT value FROM json_each(?2)) AND id > ?3"""
_CLAIMED = """SELECT label FROM claims
    WHERE fingerprint = ?1 AND label IN (SELECT value FROM json_each(?2)) AND owner != ?3"""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of the labels that somebody wanted to claim; each is in one of the three sets."""

    own: frozenset[str]
    settled: frozenset[str]
    """Measured or failed meanwhile."""
    others: frozenset[str]
    """Being measured by another process."""


class Claims:
    """The claims of one campaign on one device.

    Args:
        transaction: of the store that holds the claims; it gets a table for them where it has none.
        fingerprint: of the device.
        retry_failed: failures from before this object was made do not settle an item.
    """

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[sqlite3.Connection]],
        fingerprint: str,
        *,
        retry_failed: bool = False,
    ) -> None:
        self._transaction = transaction
        self._fingerprint = fingerprint
        self._owner = uuid4().hex
        self._old_failures = 0
        with transaction() as connection:
            connection.execute(_TABLE)
            if retry_failed:
                query = "SELECT COALESCE(MAX(id), 0) FROM failures"
                self._old_failures = int(connection.execute(query).fetchone()[0])

    def take(self, labels: Iterable[str], *, times: int = 1) -> Taken:
        """Claims those of the labels that are neither settled nor claimed by a living process.

        An item is settled when it was measured so many ``times``, or failed.
        """
        wanted = frozenset(labels)
        text, process = json.dumps(sorted(wanted)), this_process()
        with self._transaction() as connection:
            _drop_void(connection)
            settled = _labels(connection, _SETTLED, self._fingerprint, text, self._old_failures, times)
            others = _labels(connection, _CLAIMED, self._fingerprint, text, self._owner) - settled
            own = wanted - settled - others
            who = (self._owner, process.host, process.pid, process.started, time.time())
            connection.executemany(
                "INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(self._fingerprint, label, *who) for label in sorted(own)],
            )
        return Taken(own, settled, others)

    def settle(self, connection: sqlite3.Connection, label: str) -> bool:
        """Ends a claim in the transaction that stores the result; False where the item is not ours any more."""
        query = "DELETE FROM claims WHERE fingerprint = ? AND label = ? AND owner = ?"
        return connection.execute(query, (self._fingerprint, label, self._owner)).rowcount > 0

    def release(self) -> None:
        """Ends all claims of this object."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM claims WHERE owner = ?", (self._owner,))

    @contextmanager
    def turn(self, name: str) -> Iterator[None]:
        """Lets one process at a time into blocks of this name; the others wait."""
        waiting = False
        while not self.take([name]).own:
            if not waiting:
                _logger.warning("waiting for another process: %s", name)
            waiting = True
            time.sleep(POLL_S)
        try:
            yield
        finally:
            with self._transaction() as connection:
                self.settle(connection, name)


def _labels(connection: sqlite3.Connection, query: str, *arguments: str | int) -> frozenset[str]:
    return frozenset(str(label) for (label,) in connection.execute(query, arguments))


def _drop_void(connection: sqlite3.Connection) -> None:
    query = "SELECT fingerprint, label, host, pid, started, claimed_at FROM claims"
    for fingerprint, label, host, pid, started, claimed_at in connection.execute(query).fetchall():
        process = ProcessIdentity(host, pid, started)
        if process.is_dead or abs(time.time() - claimed_at) > STALE_S:
            _logger.info("%s: the claim of %s is void", label, process)
            connection.execute("DELETE FROM claims WHERE fingerprint = ? AND label = ?", (fingerprint, label))
