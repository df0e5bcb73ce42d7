"""``latseg serve``: shows a page; the browser that opens it becomes a device."""

from __future__ import annotations

import io
import re
import socket
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foundation.errors import UserError
from latseg.console import Console, plain
from latseg.options import IgnoredSeedOption

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ssl import SSLContext

    from rich.console import RenderableType

    from devices.backends.web.page_link import PageLink
    from devices.backends.web.server import PageServer

_LOOK_S = 1.0
_LOOPBACK = re.compile(r"127\..*|localhost")
_EVERYWHERE = "0.0.0.0"  # noqa: S104 - the user asks for it
_ELSEWHERE = ("192.0.2.1", 9)
"""An address that belongs to nobody (RFC 5737): the way there begins at this machine's own address."""


def serve(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME...]", help="A page for each: devices page:NAME; else page.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 is open to the network.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for a free one.")] = 8765,
    certificate: Annotated[
        Path | None, typer.Option(help="PEM file with certificate and key, for HTTPS: threads and a fine clock.")
    ] = None,
    seed: IgnoredSeedOption = 0,  # noqa: ARG001 - every command takes --seed
) -> None:
    """Show a page; the browser that opens it, on a phone for example, is a device for the other commands."""
    from devices.backends.web.gate import PageGate
    from devices.backends.web.installation import WebPackages

    console: Console = context.obj
    packages = WebPackages()
    packages.require()
    https = _https(certificate) if certificate else None
    with (
        closing(_server(_checked(names or [""]), packages.files, host, port, https)) as server,
        closing(PageGate(server)),
        suppress(KeyboardInterrupt),
    ):
        _show(console, server, host, https)
        _report(console, server)


def _show(console: Console, server: PageServer, host: str, https: SSLContext | None) -> None:
    shown_host = _own_address() if host == _EVERYWHERE else host
    pages = [{"device": _device(name), "url": server.address(name, shown_host)} for name in server.pages]
    console.emit({"url": pages[0]["url"], "pages": pages}, lambda: [part for page in pages for part in _shown(page)])
    if not _LOOPBACK.fullmatch(host) and https is None:
        console.warn(
            "over plain HTTP a browser gives pages one thread and a coarse clock; for more give a --certificate, or "
            f"run `adb reverse tcp:{server.port} tcp:{server.port}` and open the address with 127.0.0.1 on the phone"
        )


def _checked(names: Sequence[str]) -> Sequence[str]:
    from devices.backends.web.page_device import PAGE_NAME

    for name in names:
        if name and not re.fullmatch(PAGE_NAME, name):
            raise UserError(
                "name of a page", seen=repr(name), expected="at most 32 small letters, digits and hyphens",
                remedy="choose another one",
            )  # fmt: skip
    return names


def _server(names: Sequence[str], files: Path, host: str, port: int, https: SSLContext | None) -> PageServer:
    from devices.backends.web.server import PageServer

    try:
        return PageServer(names, files, host=host, port=port, https=https)
    except (OSError, OverflowError) as error:
        raise UserError(
            "server", seen=f"{host}:{port}: {error}", expected="an address of this machine with a free port",
            remedy="choose another --host or --port",
        ) from error  # fmt: skip


def _https(certificate: Path) -> SSLContext:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate)
    except OSError as error:
        raise UserError(
            f"certificate {certificate}", seen=error.strerror or str(error),
            expected="a PEM file with a certificate and its key", remedy="give another --certificate",
        ) from error  # fmt: skip
    return context


def _own_address() -> str:
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        way.connect(_ELSEWHERE)
        return str(way.getsockname()[0])
    return socket.gethostname()


def _device(name: str) -> str:
    return f"page:{name}" if name else "page"


def _shown(page: dict[str, str]) -> list[RenderableType]:
    """The address, and as a QR code where segno is installed."""
    from rich.text import Text

    line = f"{plain(page['device'])}: {plain(page['url'])}"
    try:
        import segno
    except ImportError:
        return [line]
    code = io.StringIO()
    segno.make(page["url"], error="l").terminal(code, border=2, compact=True)
    return [line, Text.from_ansi(code.getvalue())]


def _report(console: Console, server: PageServer) -> None:
    """Tells which pages are opened and closed, until it is interrupted."""
    present: dict[str, bool] = {}
    while True:
        for name, page in server.pages.items():
            if page.is_present != present.get(name, False):
                present[name] = page.is_present
                console.remark(f"{_device(name)}: {_opened(page) if page.is_present else 'closed'}")
        time.sleep(_LOOK_S)


def _opened(page: PageLink) -> str:
    known = page.description
    assert known is not None
    isolated = "" if known.isolated else ", since it is not isolated"
    return (
        f"opened in {known.browser} on {known.hardware}; threads: at most {known.threads}{isolated}; "
        f"steps of the clock: {known.clock_ms:.2g} ms"
    )
