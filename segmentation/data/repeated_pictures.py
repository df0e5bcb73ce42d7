"""Photographs that a folder holds several times: one in training and in validation makes a score too good."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from foundation.picture import PictureError, read_picture
from segmentation.data.equal_files import with_equal_bytes
from segmentation.data.pair_files import PairFiles

_SIDE = 16
"""Pixels of the small pictures that are compared."""
_SAME = 4.0
"""Mean difference, in levels, up to which two small pictures are one photograph that was saved twice."""
_ALIKE = 16
"""Equal masks in more pairs than these are empty ones, which different photographs have."""
_NAMED = 3


def without_repeats(pairs: Sequence[PairFiles], others: Sequence[PairFiles]) -> tuple[list[PairFiles], list[str]]:
    """Each photograph of ``pairs`` once, without those of ``others``, and a sentence on what is left out.

    Two files are one photograph if they have the same bytes, or if their masks have and they look the same. Where
    fewer than two pairs would be left, all stay and the sentence says so.
    """
    fixed = {image for image, _ in others}
    first = {image: other for image, other in _repeats([*others, *pairs]) if image not in fixed}
    kept = [pair for pair in pairs if pair[0] not in first]
    if not first:
        return kept, []
    named = ", ".join(f"{path.name} is {other.name}" for path, other in list(first.items())[:_NAMED])
    named += f" and {len(first) - _NAMED} more" if len(first) > _NAMED else ""
    if len(kept) < 2:
        return list(pairs), [f"all photographs are the same, so scores say nothing: {named}"]
    return kept, [f"{len(first)} left out, since they are the same photographs under other names: {named}"]


def _repeats(pairs: Sequence[PairFiles]) -> Iterator[tuple[Path, Path]]:
    """Photographs and the earlier ones that they repeat."""
    image_of = {mask: image for image, mask in pairs}
    for group in with_equal_bytes(list(image_of.values())):
        yield from ((image, group[0]) for image in group[1:])
    for masks in with_equal_bytes(list(image_of)):
        if len(masks) <= _ALIKE:
            yield from _looking_alike([image_of[mask] for mask in masks])


def _looking_alike(images: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    seen: list[tuple[Path, NDArray[np.float32]]] = []
    for image in images:
        small = _small(image)
        if small is None:
            continue
        same = next((path for path, other in seen if np.abs(small - other).mean() <= _SAME), None)
        if same is None:
            seen.append((image, small))
        else:
            yield image, same


def _small(image: Path) -> NDArray[np.float32] | None:
    try:
        picture = Image.fromarray(read_picture(image, at_least=(_SIDE, _SIDE)).rgb)
    except PictureError:
        return None
    return np.asarray(picture.resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float32)
