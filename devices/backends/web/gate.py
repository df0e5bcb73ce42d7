"""The way of other processes of this user to the pages that ``latseg serve`` shows: a socket in the user's folder.

A connection is a session of one page. The process sends the name of the page and receives a ``Greeting``; from then
on it sends orders, one at a time, and receives the answers; an empty one says that the page was closed. The session
ends with the connection.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from multiprocessing.connection import Client, Connection, Listener
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
        with suppress(OSError), Client(str(path)):
            raise UserError(
                "pages", seen="another `latseg serve` of this user", expected="one at a time",
                remedy="end it, or give it the names of all pages",
            )  # fmt: skip
        path.unlink(missing_ok=True)
        self._listener = Listener(str(path))
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
            greeting = Greeting()
            if page is not None:
                address = self._server.address(name)
                greeting = Greeting(address=address, is_present=page.is_present, description=page.description)
            connection.send_bytes(greeting.model_dump_json().encode())
            if page is not None:
                _relay(page, connection)


def _relay(page: PageLink, connection: Connection) -> None:
    session = page.open_session(lambda: not connection.poll())
    try:
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
        OSError: no process serves pages.
    """

    def __init__(self, name: str) -> None:
        self._connection = Client(str(_socket()))
        self._connection.send_bytes(name.encode())
        self.greeting = Greeting.model_validate_json(self._connection.recv_bytes())

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


def _socket() -> Path:
    data = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser()
    return data / "latseg" / "serve" / "socket"
