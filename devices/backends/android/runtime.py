"""A page that Chrome shows on a phone, inside the worker process."""

from __future__ import annotations

from devices.backends.android.adb import Phone
from devices.backends.web.installation import WebPackages
from devices.backends.web.runtime import PageRuntime
from devices.backends.web.server import PageServer

_PORT = 28765
"""Of the phone: the page is on its own address, which a browser takes for a secure one."""
_START_S = 60.0


class AndroidRuntime(PageRuntime):
    """Shows a page of this process on the phone.

    Args:
        threads: of the runtime.
        serial: of the phone; empty for the only one.

    Raises:
        OSError: adb or the phone does not answer.
        TimeoutError: the page was not opened in time.
    """

    def __init__(self, threads: int, serial: str) -> None:
        server, phone = PageServer(("",), WebPackages().files), Phone(serial)
        phone.reverse(_PORT, server.port)
        phone.open(server.address("", port=_PORT))
        page = server.pages[""]
        if not page.wait_until_present(_START_S):
            raise TimeoutError("Chrome did not open the page: unlock the screen, and open Chrome once by hand")
        super().__init__(page.open_session().ask, threads)
