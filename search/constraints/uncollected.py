"""Python's search for cyclic garbage, put off while much is made that has no cycles."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """No collection meanwhile, also as a decorator; what has no cycles is freed as ever.

    A batch of checked nets makes hundreds of thousands of objects that stay: collections would walk through them again
    and again.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
