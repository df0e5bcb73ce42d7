"""onnxruntime-web in a page that another process serves, inside the worker process."""

from __future__ import annotations

import time
from contextlib import suppress

from devices.backends.web.gate import ServedPage
from devices.backends.web.runtime import PageRuntime
from devices.worker.runtime import RuntimeLostError

_LOOK_S = 1.0


class ServedRuntime(PageRuntime):
    """Waits until the page is open; the parent ends this process where that takes too long.

    Args:
        threads: of the runtime.
        page: its name; after a colon the ``identity`` of the browser in which it has to be open.

    Raises:
        RuntimeLostError: it was opened in another browser.
    """

    def __init__(self, threads: int, page: str) -> None:
        name, _, identity = page.partition(":")
        super().__init__(_opened(name, identity).ask, threads)


def _opened(name: str, identity: str) -> ServedPage:
    while True:
        with suppress(OSError, EOFError):
            page = ServedPage(name)
            browser = page.greeting.description
            if browser and page.greeting.is_present:
                if identity in {"", browser.identity}:
                    return page
                raise RuntimeLostError("the page was opened in another browser")
            page.close()
        time.sleep(_LOOK_S)
