"""Input sizes of spaces, and the option ``sizes``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BeforeValidator

from foundation.errors import UserError
from search.spaces.space import Slot

SIZES = ((128, 128), (160, 128), (192, 128), (160, 160), (192, 192), (256, 160), (256, 192), (224, 224), (256, 256))
"""Height and width of the input, multiples of 32, by area."""
SIZE_SLOT = Slot("size", len(SIZES), ordered=True, labels=tuple(f"{height}x{width}" for height, width in SIZES))


def _from_text(value: object) -> object:
    return [size.split("x") for size in value.split("+")] if isinstance(value, str) else value


Sizes = Annotated[tuple[tuple[int, int], ...], BeforeValidator(_from_text)]
"""Heights and widths; as a text ``128x128+256x256``."""


def allowed_sizes(sizes: Sequence[tuple[int, int]] | None, known: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Places of ``sizes`` in ``known``, in its order; all places where ``sizes`` is None.

    Raises:
        UserError: a size that is not known, or none.
    """
    unknown = [size for size in sizes or () if size not in known]
    if unknown or (sizes is not None and not sizes):
        raise UserError(
            "input size",
            seen=", ".join(f"{height}x{width}" for height, width in unknown) or "none",
            expected="some of " + ", ".join(f"{height}x{width}" for height, width in known),
            remedy="choose among these",
        )
    return tuple(index for index, size in enumerate(known) if sizes is None or size in sizes)
