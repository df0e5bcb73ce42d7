"""``eg1800:PATH``: portraits with their background (Shen et al., Eurographics 2016), in the layout of PortraitNet."""

from __future__ import annotations

from pathlib import Path

from typing_extensions import override

from segmentation.data.folder_pairs import FolderPairs, check_pairs
from segmentation.data.name_list import PresentFiles, present_files, read_lines
from segmentation.data.named_parts import named_parts
from segmentation.data.path_options import path_and_options, require_folder, source_name
from segmentation.data.source import PERSON_CLASSES, DataOptions, DataSource

_IMAGES, _LABELS = "Images", "Labels"
_TRAIN, _TEST = "eg1800_train.txt", "eg1800_test.txt"


class Eg1800Source(DataSource):
    """``PATH[?resize-masks]``: ``Images``, ``Labels``, ``eg1800_train.txt``, ``eg1800_test.txt``.

    The list of test pictures is the test part; one in ten of the others validates. Many pictures cannot be downloaded
    any more: those that are missing are left out.
    """

    @override
    @classmethod
    def open(cls, text: str, options: DataOptions) -> Eg1800Source:
        folder, given = path_and_options("eg1800", text, ("resize-masks",))
        require_folder(folder, _IMAGES, _LABELS, _TRAIN, _TEST)
        resize_masks = options.resize_masks or "resize-masks" in given
        train, test = _listed(folder, _TRAIN), _listed(folder, _TEST)
        parts = named_parts(train.pairs, test=test.pairs, count=options.count, notes=(*train.notes, *test.notes))
        checked = check_pairs(parts.all, len(PERSON_CLASSES), resize_masks=resize_masks)
        return cls(
            source_name("eg1800", folder, {"resize-masks": resize_masks}),
            PERSON_CLASSES,
            *parts.each(lambda part: FolderPairs(part, checked.convention, size=options.size)),
            notes=(*checked.notes, *parts.notes),
            without_mask=train.without_mask + test.without_mask,
            reading=checked.reading,
        )


def _listed(folder: Path, name: str) -> PresentFiles:
    pictures = [folder / _IMAGES / Path(line).name for line in read_lines(folder / name)]
    return present_files(folder / name, [(path, folder / _LABELS / f"{path.stem}.png") for path in pictures])
