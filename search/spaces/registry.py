"""Search spaces by name."""

from __future__ import annotations

from collections.abc import Sequence

from devices.errors import UserError
from latseg.units import parse_size
from search.space import SearchSpace


def open_space(name: str, sizes: Sequence[str] | None = None) -> SearchSpace:
    """The space called ``name``, restricted to input sizes such as ``128x128`` where given.

    Raises:
        UserError: no such space or size.
    """
    if name != "portrait":
        raise UserError("--space", seen=repr(name), expected="portrait", remedy="write --space portrait")
    from search.portrait_space import PortraitSpace

    return PortraitSpace(tuple(parse_size(size) for size in sizes) if sizes else None)
