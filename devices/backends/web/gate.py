"""The way of other processes of this user to the pages that ``latseg serve`` shows: a socket in the user's folder.

A connection is a session of one page. The process sends the name of the page and receives a ``Greeting``; from then
on it sends orders, one at a time, and receives the answers; an empty one says that the page was closed. The session
ends with the connection.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from devices.backends.web.orders import PageDescription
from devices.worker.runtime import RuntimeLostError
from foundation.errors import UserError

if TYPE_CHECKING:
    from devices.backends.web.page_link import PageLink
    from devices.backends.web.server import PageServer

_NAME_BYTES = 200
_WAITING = 64
"""Connections that a process which is busy has not accepted yet."""
_GREETING_S = 2.0
"""Time until the greeting; a process that was stopped (Ctrl-Z) never sends it."""


class Greeting(BaseModel):
    """What the gate tells of a page."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str = ""
    """What a browser has to open; empty where no page of this name is served."""
    is_present: bool = False
    description: PageDescription | None = None
    """Of the browser that opened it last."""


class PageGate:
    """Lets other processes of this user reach the pages of a server, until it is closed.

    Raises:
        UserError: another process serves pages.
    """

    def __init__(self, server: PageServer) -> None:
        self._server = server
        path = _socket()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_listening(path):
            raise UserError(
                "pages", seen="another `latseg serve` of this user", expected="one at a time",
                remedy="end it, or give it the names of all pages",
            )  # fmt: skip
        path.unlink(missing_ok=True)
        self._listener = Listener(str(path), backlog=_WAITING)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Ends it."""
        with suppress(FileNotFoundError):  # the socket was removed
            self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                threading.Thread(target=self._serve, args=(self._listener.accept(),), daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        with suppress(EOFError, OSError), connection:
            name = connection.recv_bytes(_NAME_BYTES).decode(errors="replace")
            page = self._server.pages.get(name)
            if page is None:
                _greet(connection, Greeting())
            else:
                _relay(page, connection, self._server.address(name))


def _greet(connection: Connection, greeting: Greeting) -> None:
    connection.send_bytes(greeting.model_dump_json().encode())


def _relay(page: PageLink, connection: Connection, address: str) -> None:
    # The session is older than the greeting: it is of the browser that is described, or is lost.
    session = page.open_session(lambda: not connection.poll())
    try:
        _greet(connection, Greeting(address=address, is_present=page.is_present, description=page.description))
        while True:
            order = connection.recv_bytes()
            try:
                answer = session.ask(order)
            except RuntimeLostError:
                answer = b""
            connection.send_bytes(answer)
    finally:
        session.end()


class ServedPage:
    """A session of a page that another process serves.

    Args:
        name: of the page.

    Raises:
        OSError: no process serves pages, or it is stopped, or one of another version.
        EOFError: it has just ended.
    """

    def __init__(self, name: str) -> None:
        self._connection = _connect(_socket())
        self._connection.send_bytes(name.encode())
        if not self._connection.poll(_GREETING_S):
            raise TimeoutError("latseg serve does not answer")
        try:
            self.greeting = Greeting.model_validate_json(self._connection.recv_bytes())
        except ValueError as error:
            raise ConnectionError("latseg serve is of another version") from error

    def ask(self, order: bytes) -> bytes:
        """The answer of the page.

        Raises:
            RuntimeLostError: the page was closed, or the process that serves it has ended.
        """
        try:
            self._connection.send_bytes(order)
            answer = self._connection.recv_bytes()
        except (EOFError, OSError) as error:
            raise RuntimeLostError("latseg serve has ended") from error
        if not answer:
            raise RuntimeLostError("the page was closed")
        return answer

    def close(self) -> None:
        """Ends the session."""
        self._connection.close()


def _connect(path: Path) -> Connection:
    """Unlike ``multiprocessing.connection.Client`` it does not wait for ever where too many connections wait.

    Raises:
        OSError: nobody listens; ``BlockingIOError`` where a process listens that accepts nothing.
    """
    with socket.socket(socket.AF_UNIX) as made:
        made.settimeout(_GREETING_S)
        made.connect(str(path))
        made.setblocking(True)
        return Connection(made.detach())


def _is_listening(path: Path) -> bool:
    try:
        _connect(path).close()
    except BlockingIOError:
        return True
    except OSError:
        return False
    return True


def _socket() -> Path:
    data = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser()
    return data / "latseg" / "serve" / "socket"
