"""``celebamask:PATH``: faces of CelebAMask-HQ with 19 classes (Lee et al., CVPR 2020)."""

from __future__ import annotations

from pathlib import Path

from typing_extensions import override

from foundation.errors import UserError
from segmentation.data.annotation import AnnotatedPairs, check_annotated
from segmentation.data.celebamask_parts import CLASSES, IMAGE_FOLDER, official_parts
from segmentation.data.folder_pairs import FolderPairs, check_pairs
from segmentation.data.left_right import left_and_right
from segmentation.data.named_parts import named_parts
from segmentation.data.pair_files import find_pairs
from segmentation.data.path_options import path_and_options, source_name
from segmentation.data.person import person_table
from segmentation.data.source import PERSON_CLASSES, DataOptions, DataSource

_MIN_PAIRS = 10


class CelebAMaskSource(DataSource):
    """``PATH[?person&resize-masks]``: the data set as it is published, or ``PATH/images`` and ``PATH/masks``.

    As published (``CelebA-HQ-img``, ``CelebAMask-HQ-mask-anno``), it has the parts of CelebA, and masks may be smaller
    than their pictures, as they are there.

    With ``images`` and ``masks``, the values of palette PNGs are the classes. By sorted file name the first seven
    tenths are the training part, the next tenth is the validation part and the rest the test part; ``count`` limits
    the training part.

    With ``person`` every class but the background is the person.
    """

    @override
    @classmethod
    def open(cls, text: str, options: DataOptions) -> CelebAMaskSource:
        folder, given = path_and_options("celebamask", text, ("person", "resize-masks"))
        open_layout = cls._official if (folder / IMAGE_FOLDER).is_dir() else cls._flattened
        return open_layout(folder, given, options)

    @classmethod
    def _official(cls, folder: Path, given: set[str], options: DataOptions) -> CelebAMaskSource:
        found = official_parts(folder)
        parts = named_parts(found.train, found.validation, found.test, count=options.count, notes=found.notes)
        notes = check_annotated(parts.all, resize_masks=True)
        person = "person" in given
        table = person_table(range(1, len(CLASSES))) if person else None
        return cls(
            source_name("celebamask", folder, {"person": person, "resize-masks": "resize-masks" in given}),
            PERSON_CLASSES if person else CLASSES,
            *parts.each(lambda part: AnnotatedPairs(part, size=options.size, merged=table)),
            flip_swaps=() if person else left_and_right(CLASSES),
            notes=(*notes, *parts.notes),
            without_mask=found.without_mask,
        )

    @classmethod
    def _flattened(cls, folder: Path, given: set[str], options: DataOptions) -> CelebAMaskSource:
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
        table = person_table(range(1, len(CLASSES))) if person else None
        train, validation, test = (
            FolderPairs(part, checked.convention, size=options.size, merged=table) for part in parts
        )
        return cls(
            name=source_name("celebamask", folder, {"person": person, "resize-masks": resize_masks}),
            classes=PERSON_CLASSES if person else CLASSES,
            train=train,
            validation=validation,
            test=test,
            flip_swaps=() if person else left_and_right(CLASSES),
            notes=(*checked.notes, *found.notes),
            reading=checked.reading,
        )
