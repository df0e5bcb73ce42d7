"""The server of the page: one port, files from a fixed list, and requests that name a page and carry the token."""

from __future__ import annotations

import re
import secrets
import select
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from hmac import compare_digest
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from typing_extensions import override

from devices.backends.web.orders import PageDescription
from devices.backends.web.page_link import PageLink, PageReplacedError
from devices.worker.runtime import MAX_OUTPUT_BYTES

_FILES = Path(__file__).parent / "page"
_RUNTIME = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
_TYPES = {
    ".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".mjs": "text/javascript",
    ".wasm": "application/wasm",
}  # fmt: skip
_HEADERS = {
    # Threads and the fine clock are only for pages that are isolated from all other ones.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src data:",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
_DESCRIPTION_BYTES = 4096
_INSTANCE = re.compile("[0-9a-f]{8,64}")
_NUMBER = re.compile("[0-9]{1,18}")


class PageServer:
    """Serves the page to those who know the token, on a thread of its own, until it is closed.

    Args:
        names: of the pages.
        runtime: folder of the files of onnxruntime-web for browsers.
        engine: files of another runtime by their place in the address; ``/engine.js`` is what the page starts.
        host: address at which to listen.
        port: 0 chooses a free one.
        https: context with a certificate; None for plain HTTP.

    Raises:
        OSError: the port is taken, or this machine does not have the address.
    """

    def __init__(
        self, names: Sequence[str], runtime: Path, *, host: str = "127.0.0.1", port: int = 0,
        https: ssl.SSLContext | None = None, engine: Mapping[str, Path] | None = None,
    ) -> None:  # fmt: skip
        self.pages: Mapping[str, PageLink] = {name: PageLink() for name in names}
        self.token = secrets.token_urlsafe(16)
        self.files = {f"/{path.name}": path for path in _FILES.iterdir() if path.suffix in _TYPES}
        self.files.update(engine or {f"/runtime/{name}": runtime / name for name in _RUNTIME})
        self._server = _Server((host, port), partial(_Handler, self))
        self._scheme = "https" if https else "http"
        if https:
            plain = self._server.socket
            self._server.socket = https.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        """The port at which it listens."""
        return int(self._server.server_address[1])

    def address(self, name: str, host: str = "127.0.0.1", port: int | None = None) -> str:
        """What a browser opens to become this page; another port where that leads here."""
        return f"{self._scheme}://{host}:{port or self.port}/?{urlencode({'page': name, 'token': self.token})}"

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that broke is no news: pages come and go."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60.0  # a connection on which nothing comes for so long is closed

    def __init__(self, owner: PageServer, *arguments: object) -> None:
        self._owner = owner
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """A file of the list; the page itself only to those who know the token."""
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        if parts.path == "/" and not self._is_token(query.get("token", [""])[0]):
            self._text(HTTPStatus.FORBIDDEN, "open the whole address that `latseg serve` shows now")
        elif parts.path == "/" and query.get("page", [""])[0] not in self._owner.pages:
            self._text(HTTPStatus.NOT_FOUND, "no such page; open an address that `latseg serve` shows")
        elif path := self._owner.files.get("/index.html" if parts.path == "/" else parts.path):
            self._send(HTTPStatus.OK, path.read_bytes(), {"Content-Type": _TYPES[path.suffix]})
        else:
            self._text(HTTPStatus.NOT_FOUND, "no such file")

    def do_POST(self) -> None:
        """``/next`` fetches an order, ``/answer`` brings an answer."""
        parts = urlsplit(self.path)
        page = self._owner.pages.get(parse_qs(parts.query).get("page", [""])[0])
        if not self._is_token(self.headers.get("Authorization", "").removeprefix("Bearer ")):
            self._text(HTTPStatus.FORBIDDEN, "this address is of an earlier `latseg serve`: open the one it shows now")
        elif page is None or parts.path not in {"/next", "/answer"}:
            self._text(HTTPStatus.NOT_FOUND, "no such page")
        elif parts.path == "/next":
            self._next(page)
        else:
            self._answer(page)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Not to stderr: that is the log of the worker process."""

    def _next(self, page: PageLink) -> None:
        instance, received = self.headers.get("X-Page", ""), self.headers.get("X-Received", "")
        try:
            description = PageDescription.model_validate_json(self._body(_DESCRIPTION_BYTES))
            if not (_INSTANCE.fullmatch(instance) and _NUMBER.fullmatch(received)):
                raise ValueError
        except ValueError:
            self._text(HTTPStatus.BAD_REQUEST, "this page and `latseg serve` do not fit: reload the page")
            return
        try:
            with page.request(instance, description, int(received), self._is_connected) as order:
                if order is None:
                    self._send(HTTPStatus.NO_CONTENT)
                else:
                    self._send(HTTPStatus.OK, order.body, {"X-Order": order.number, "X-Session": order.session})
        except PageReplacedError:
            self._text(HTTPStatus.CONFLICT, "this page was opened again somewhere else, which goes on in its place")

    def _answer(self, page: PageLink) -> None:
        number = self.headers.get("X-Order", "")
        try:
            body = self._body(MAX_OUTPUT_BYTES)
            if not _NUMBER.fullmatch(number):
                raise ValueError
        except ValueError:
            self._text(HTTPStatus.BAD_REQUEST, "no answer to an order")
            return
        page.answer(int(number), body)
        self._send(HTTPStatus.NO_CONTENT)

    def _body(self, limit: int) -> bytes:
        """The content of the request.

        Raises:
            ValueError: it has no length, or a larger one.
        """
        length = self.headers.get("Content-Length", "")
        if not (_NUMBER.fullmatch(length) and int(length) <= limit):
            raise ValueError
        return self.rfile.read(int(length))

    def _is_token(self, given: str) -> bool:
        return compare_digest(given.encode(), self._owner.token.encode())

    def _is_connected(self) -> bool:
        """False where the other side has closed the connection: it sends nothing while it waits."""
        if not select.select([self.connection], [], [], 0)[0]:
            return True
        if isinstance(self.connection, ssl.SSLSocket):
            return False
        return bool(self.connection.recv(1, socket.MSG_PEEK))

    def _text(self, status: HTTPStatus, text: str) -> None:
        """A refusal; what the request holds further is not read."""
        self._send(status, f"{text}\n".encode(), {"Content-Type": "text/plain; charset=utf-8", "Connection": "close"})

    def _send(self, status: HTTPStatus, content: bytes = b"", headers: Mapping[str, object] | None = None) -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, **(headers or {})}.items():
            self.send_header(name, str(value))
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
