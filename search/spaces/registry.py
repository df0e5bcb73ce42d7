"""Search spaces by name."""

from __future__ import annotations

from collections.abc import Sequence

from foundation.errors import UserError
from search.spaces.space import SearchSpace


def open_space(name: str, sizes: Sequence[tuple[int, int]] | None = None) -> SearchSpace:
    """The space called ``name``, restricted to input sizes (height, width) where given.

    Raises:
        UserError: no such space or size.
    """
    if name != "portrait":
        raise UserError("--space", seen=repr(name), expected="portrait", remedy="write --space portrait")
    from search.spaces.portrait.space import PortraitSpace

    return PortraitSpace(sizes or None)
