"""``celebamask:PATH``: faces of CelebAMask-HQ with 19 classes (Lee et al., CVPR 2020).

Layout: ``PATH/images`` and ``PATH/masks`` with palette PNGs whose values are the classes. By sorted file name the first
seven tenths are to train on, the next tenth is for validation, and the rest is a test set, which this reader leaves
alone.
"""

from __future__ import annotations

from pathlib import Path

from foundation.errors import UserError
from segmentation.data.folder import FolderPairs, check_sizes, left_and_right
from segmentation.data.pair_files import PairFiles, find_pairs
from segmentation.data.source import PERSON_CLASSES, DataSource

CLASSES = (
    "background", "skin", "nose", "glasses", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth", "u_lip",
    "l_lip", "hair", "hat", "earring", "necklace", "neck", "cloth",
)  # fmt: skip
_SMALLEST = 10


def celebamask_source(
    folder: Path,
    *,
    count: int | None = None,
    size: tuple[int, int] = (256, 256),
    person_only: bool = False,
    resize_masks: bool = False,
) -> DataSource:
    """The training and validation parts; with ``person_only`` every class but the background is the person.

    ``count`` takes only so many pairs to train on, the first ones.

    Raises:
        UserError: as ``folder_source``; fewer than ten pairs.
    """
    pairs = find_pairs(folder)
    if len(pairs) < _SMALLEST:
        raise UserError(
            "number of pairs", seen=f"{len(pairs)} ({folder})", expected=f"at least {_SMALLEST}",
            remedy="read so few with folder:PATH",
        )  # fmt: skip
    options = [name for name, on in (("person", person_only), ("resize-masks", resize_masks)) if on]
    train, validation = _parts(pairs)
    train = train[:count]
    check_sizes(train + validation, resize_masks=resize_masks)
    return DataSource(
        name=f"celebamask:{folder}" + (f"?{'&'.join(options)}" if options else ""),
        classes=PERSON_CLASSES if person_only else CLASSES,
        train=FolderPairs(train, len(CLASSES), size=size, person_only=person_only),
        validation=FolderPairs(validation, len(CLASSES), size=size, person_only=person_only),
        flip_swaps=() if person_only else left_and_right(CLASSES),
    )


def _parts(pairs: list[PairFiles]) -> tuple[list[PairFiles], list[PairFiles]]:
    first, second = len(pairs) * 7 // 10, len(pairs) * 8 // 10
    return pairs[:first], pairs[first:second]
