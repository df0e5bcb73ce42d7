"""``coco:PATH``: persons of COCO (Lin et al., ECCV 2014), and what other programs write in its form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from typing_extensions import override

from foundation.errors import UserError
from segmentation.data.annotation import AnnotatedPairs, AnnotatedPicture, check_annotated
from segmentation.data.coco_document import persons
from segmentation.data.name_list import is_there, missing_notes
from segmentation.data.named_parts import named_parts
from segmentation.data.part_names import PART_NAMES
from segmentation.data.path_options import path_and_options, require_folder, source_name
from segmentation.data.source import PERSON_CLASSES, DataOptions, DataSource

_ANNOTATIONS = "annotations"
_BESIDE = "_annotations.coco.json"
_PART = re.compile(rf"(?:^|[_-])((?:{'|'.join(PART_NAMES)})\d*)$")
"""The part at the end of a name, such as ``train2017`` in ``instances_train2017``."""


class CocoSource(DataSource):
    """``PATH``: ``annotations/instances_train2017.json``, ``instances_val2017.json``, ``train2017``, ``val2017``.

    Pictures without a person are left out. Where two parts are named, the second one is the test part and one in ten of
    the training pictures validates. Pictures may also lie in ``images``, or beside ``PART/_annotations.coco.json``.
    """

    @override
    @classmethod
    def open(cls, text: str, options: DataOptions) -> CocoSource:
        folder, _ = path_and_options("coco", text, ())
        listed: dict[str, list[AnnotatedPicture]] = {"train": [], "validation": [], "test": []}
        missing: list[Path] = []
        for part, document, pictures in _files(folder):
            for image, annotation in persons(document, pictures):
                if is_there(image):
                    listed[part].append((image, annotation))
                else:
                    missing.append(image)
        if not listed["test"]:
            listed["test"], listed["validation"] = listed["validation"], []
        left = missing_notes(folder, missing, [])
        parts = named_parts(listed["train"], listed["validation"], listed["test"], count=options.count, notes=left)
        notes = check_annotated(parts.all, resize_masks=False)
        return cls(
            source_name("coco", folder, {}),
            PERSON_CLASSES,
            *parts.each(lambda part: AnnotatedPairs(part, size=options.size)),
            notes=(*notes, *parts.notes),
        )


def _files(folder: Path) -> Iterator[tuple[str, Path, Path]]:
    """Part, file of annotations and folder of pictures."""
    require_folder(folder)
    beside = [path for path in sorted(folder.glob(f"*/{_BESIDE}")) if path.parent.name in PART_NAMES]
    if beside:
        for path in beside:
            yield PART_NAMES[path.parent.name], path, path.parent
        return
    found = sorted((folder / _ANNOTATIONS).glob("instances_*.json")) or sorted((folder / _ANNOTATIONS).glob("*.json"))
    if not found:
        raise UserError(
            "data folder", seen=f"no {_ANNOTATIONS}/instances_*.json in {folder}", expected="a folder as COCO has it",
            remedy="check the path",
        )  # fmt: skip
    for path in found:
        match = _PART.search(path.stem)
        name = match[1] if match else ""
        places = [folder / name, folder / "images" / name] if name else []
        pictures = next((place for place in (*places, folder / "images") if place.is_dir()), folder)
        yield PART_NAMES[name.rstrip("0123456789")] if name else "train", path, pictures
