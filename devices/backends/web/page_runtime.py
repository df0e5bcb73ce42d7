"""onnxruntime-web in a page that another process serves, inside the worker process."""

from __future__ import annotations

import time
from contextlib import suppress

from devices.backends.web.gate import ServedPage
from devices.backends.web.runtime import PageRuntime

_LOOK_S = 1.0


class ServedRuntime(PageRuntime):
    """Waits until the page is open; the parent ends this process where that takes too long.

    Args:
        threads: of the runtime.
        name: of the page.
    """

    def __init__(self, threads: int, name: str) -> None:
        super().__init__(_opened(name).ask, threads)


def _opened(name: str) -> ServedPage:
    while True:
        with suppress(OSError, EOFError):
            page = ServedPage(name)
            if page.greeting.is_present:
                return page
            page.close()
        time.sleep(_LOOK_S)
