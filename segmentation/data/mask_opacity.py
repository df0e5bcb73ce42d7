"""Whether the masks of a folder lie in the alpha channel."""

from __future__ import annotations

from collections.abc import Sequence

from foundation.errors import UserError
from segmentation.data.mask_counts import MaskCounts

_REMEDY = "save the masks as grey PNGs without transparency"


def mask_is_opacity(masks: Sequence[MaskCounts]) -> bool:
    """Whether opacity is the mask: it varies, and the colours are one and the same in the whole folder.

    Where both vary, the colours are the mask if the opaque pixels are exactly the light ones.

    Raises:
        UserError: the mask may be in either, or some masks have an alpha channel and others have none.
    """
    transparent = [mask for mask in masks if mask.opacity is not None]
    if len(_opacities(transparent)) < 2:
        return False
    if len(frozenset().union(*(mask.colours for mask in transparent))) == 1:
        _require_everywhere(masks, transparent)
        return True
    channels = [mask for mask in transparent if mask.alpha_channel]
    if len(_opacities(channels)) < 2 or all(mask.opacity_agrees for mask in channels):
        return False
    one = next(mask for mask in channels if not mask.opacity_agrees)
    other = next((mask for mask in channels if mask.colours != one.colours), one)
    raise UserError(
        "masks with transparency",
        seen=f"colours and transparency that both vary and do not agree (compare {one.path} and {other.path})",
        expected="the mask in one of them",
        remedy=_REMEDY,
    )


def _opacities(masks: Sequence[MaskCounts]) -> set[int]:
    return {value for mask in masks if mask.opacity is not None for value in mask.opacity.tolist()}


def _require_everywhere(masks: Sequence[MaskCounts], transparent: Sequence[MaskCounts]) -> None:
    without = next((mask for mask in masks if mask.opacity is None), None)
    if without is not None:
        raise UserError(
            "masks", seen=f"{transparent[0].path} with its mask in the alpha channel, {without.path} without one",
            expected="one convention in all masks of a folder", remedy=_REMEDY,
        )  # fmt: skip
