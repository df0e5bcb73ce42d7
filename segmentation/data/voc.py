"""``voc:PATH``: Pascal VOC with 21 classes (Everingham et al., IJCV 2010)."""

from __future__ import annotations

from pathlib import Path

from typing_extensions import override

from segmentation.data.folder_pairs import FolderPairs, check_pairs
from segmentation.data.name_list import PresentFiles, present_files, read_lines
from segmentation.data.named_parts import named_parts
from segmentation.data.path_options import path_and_options, require_folder, source_name
from segmentation.data.person import person_table
from segmentation.data.source import PERSON_CLASSES, DataOptions, DataSource

CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
_IMAGES, _MASKS, _LISTS = "JPEGImages", "SegmentationClass", "ImageSets/Segmentation"


class VocSource(DataSource):
    """``PATH[?person]``: ``JPEGImages``, ``SegmentationClass`` and ``ImageSets/Segmentation/*.txt``.

    ``val.txt`` is the test part, since the masks of ``test.txt`` are not published; one in ten of ``train.txt``
    validates. Where there are masks for ``test.txt``, these are the test part and ``val.txt`` validates. With
    ``person`` every other class is background.
    """

    @override
    @classmethod
    def open(cls, text: str, options: DataOptions) -> VocSource:
        folder, given = path_and_options("voc", text, ("person",))
        require_folder(folder, _IMAGES, _MASKS, f"{_LISTS}/train.txt", f"{_LISTS}/val.txt")
        train, validation, test = (_listed(folder, part) for part in ("train", "val", "test"))
        used = [train, validation, test] if test.pairs else [train, validation]
        fixed = (validation.pairs, test.pairs) if test.pairs else ([], validation.pairs)
        missing = [note for files in used for note in files.notes]
        parts = named_parts(train.pairs, *fixed, count=options.count, notes=missing)
        checked = check_pairs(parts.all, len(CLASSES), resize_masks=options.resize_masks)
        person = "person" in given
        table = person_table([CLASSES.index("person")]) if person else None
        return cls(
            source_name("voc", folder, {"person": person}),
            PERSON_CLASSES if person else CLASSES,
            *parts.each(lambda part: FolderPairs(part, checked.convention, size=options.size, merged=table)),
            notes=(*checked.notes, *parts.notes),
            without_mask=sum(files.without_mask for files in used),
            reading=checked.reading,
        )


def _listed(folder: Path, part: str) -> PresentFiles:
    path = folder / _LISTS / f"{part}.txt"
    names = [Path(line.split()[0]).name for line in read_lines(path)] if path.exists() else []
    return present_files(path, [(folder / _IMAGES / f"{n}.jpg", folder / _MASKS / f"{n}.png") for n in names])
