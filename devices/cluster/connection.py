"""The connection of this process to a Ray cluster. Importing this module does not import Ray."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from foundation.errors import UserError, first_line
from foundation.regular_file import DOCUMENT_BYTES, read_regular

AUTO = "auto"
"""The cluster of this machine, or the one that ``RAY_ADDRESS`` names."""
INSTALL = 'pip install "latseg[cluster]"'
_REACHABLE_S = 5.0
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_STARTED = Path("/tmp/ray/ray_current_cluster")  # noqa: S108 - where `ray start` notes the address


@dataclass(frozen=True, slots=True)
class Connection:
    """A cluster to which this process is connected."""

    address: str
    ray: Any
    """The module."""


@contextmanager
def connected(address: str) -> Iterator[Connection]:
    """As ``connect``, for the length of the block; a process that was connected before stays so."""
    before = _present() is not None
    connection = connect(address)
    try:
        yield connection
    finally:
        if not before:
            connection.ray.shutdown()


def connect(address: str) -> Connection:
    """Connects this process, which can be connected to one cluster only.

    Args:
        address: ``auto``, ``HOST:PORT`` of the head, or ``ray://HOST:PORT`` of its server for clients.

    Raises:
        UserError: Ray is not installed, nothing answers there, it is another Ray than this one, or this process is
            connected to another cluster.
    """
    if (present := _present()) is not None:
        _require_same(present, address)
        return Connection(address, present)
    _require_reachable(address)
    ray = _ray()
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (RuntimeError, ConnectionError, ValueError) as error:
        raise _refused(address, first_line(error)) from error
    return Connection(address, ray)


def started_here() -> bool:
    """Whether ``auto`` names a cluster; nothing is asked."""
    return _named(AUTO) != AUTO


def installed() -> bool:
    """Whether Ray is; it is not imported."""
    return find_spec("ray") is not None


def _present() -> Any:
    """Ray, where this process is connected; else None."""
    loaded = sys.modules.get("ray")
    return loaded if loaded is not None and loaded.is_initialized() else None


def _require_same(ray: Any, address: str) -> None:
    named = _named(address)
    head = ray.get_runtime_context().gcs_address
    host, _, port = named.rpartition(":")
    if host.strip("[]") in _LOOPBACK:  # Ray itself tells the address that others reach
        named = f"{ray.util.get_node_ip_address()}:{port}"
    if named not in {AUTO, head} and not named.startswith("ray://"):
        raise UserError(
            f"Ray cluster {address}", seen=f"a connection to {head}, for a device of that cluster",
            expected="one cluster", remedy=f"set RAY_ADDRESS={address}, or write --cluster auto",
        )  # fmt: skip


def _named(address: str) -> str:
    """The address for which ``auto`` stands; ``auto`` where it stands for none."""
    if address != AUTO:
        return address
    try:
        return os.environ.get("RAY_ADDRESS") or read_regular(_STARTED, limit=DOCUMENT_BYTES).decode().strip() or AUTO
    except (OSError, ValueError):
        return AUTO


def _ray() -> Any:
    if not installed():
        raise UserError("Ray", seen="not installed", expected="Ray, which runs clusters", remedy=f"run {INSTALL}")
    # Ray would write of lost machines to stdout, where our results belong; log_to_driver does not cover that.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".*")
    return import_module("ray")


def _require_reachable(address: str) -> None:
    """Ray itself waits for half a minute, prints a page and ends the process."""
    named = _named(address)
    if named == AUTO:
        raise _refused(address, "none on this machine")
    host, _, port = named.removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal()):
        raise _refused(address, f"{named!r}, no HOST:PORT")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_REACHABLE_S).close()
    except (OSError, OverflowError) as error:
        raise _refused(address, f"no answer of {named} ({error})") from error


def _refused(address: str, seen: str) -> UserError:
    return UserError(
        f"Ray cluster {address}", seen=seen, expected="a cluster that runs this version of Ray and of Python",
        remedy="start one with `ray start --head`, or name HOST:PORT of its head",
    )  # fmt: skip
