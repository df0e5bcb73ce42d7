"""``celebamask:PATH``: faces of CelebAMask-HQ with 19 classes (Lee et al., CVPR 2020)."""

from __future__ import annotations

from typing_extensions import override

from foundation.errors import UserError
from segmentation.data.folder import left_and_right, path_and_options
from segmentation.data.folder_pairs import FolderPairs, check_pairs
from segmentation.data.pair_files import find_pairs
from segmentation.data.source import PERSON_CLASSES, DataOptions, DataSource

CLASSES = (
    "background", "skin", "nose", "glasses", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth", "u_lip",
    "l_lip", "hair", "hat", "earring", "necklace", "neck", "cloth",
)  # fmt: skip
_MIN_PAIRS = 10


class CelebAMaskSource(DataSource):
    """``PATH[?person&resize-masks]``: ``PATH/images`` and ``PATH/masks``, palette PNGs whose values are the classes.

    By sorted file name the first seven tenths are the training part, the next tenth is the validation part and the rest
    the test part. With ``person`` every class but the background is the person. ``count`` limits the training part.
    """

    @override
    @classmethod
    def open(cls, text: str, options: DataOptions) -> CelebAMaskSource:
        folder, given = path_and_options("celebamask", text, ("person", "resize-masks"))
        found = find_pairs(folder)
        pairs = found.pairs
        if len(pairs) < _MIN_PAIRS:
            raise UserError(
                "number of pairs", seen=f"{len(pairs)} ({folder})", expected=f"at least {_MIN_PAIRS}",
                remedy="read so few with folder:PATH",
            )  # fmt: skip
        person = "person" in given
        resize_masks = options.resize_masks or "resize-masks" in given
        first, second = len(pairs) * 7 // 10, len(pairs) * 8 // 10
        parts = pairs[:first][: options.count], pairs[first:second], pairs[second:]
        checked = check_pairs([pair for part in parts for pair in part], len(CLASSES), resize_masks=resize_masks)
        train, validation, test = (
            FolderPairs(part, checked.convention, size=options.size, person_only=person) for part in parts
        )
        written = [name for name, on in (("person", person), ("resize-masks", resize_masks)) if on]
        return cls(
            name=f"celebamask:{folder}" + (f"?{'&'.join(written)}" if written else ""),
            classes=PERSON_CLASSES if person else CLASSES,
            train=train,
            validation=validation,
            test=test,
            flip_swaps=() if person else left_and_right(CLASSES),
            notes=(*checked.notes, *found.notes),
            reading=checked.reading,
        )
