"""``helen:PATH``: faces of HELEN with 11 classes (Smith et al., Exemplar-Based Face Parsing, CVPR 2013)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from typing_extensions import override

from foundation.errors import UserError
from foundation.picture import read_picture
from segmentation.data.annotation import AnnotatedPairs, AnnotatedPicture, Annotation, check_annotated
from segmentation.data.exif import PictureShape, picture_shape
from segmentation.data.left_right import left_and_right
from segmentation.data.mask_convention import Mask
from segmentation.data.name_list import is_there, missing_notes, read_lines
from segmentation.data.named_parts import named_parts
from segmentation.data.path_options import path_and_options, require_folder, source_name
from segmentation.data.source import DataOptions, DataSource

CLASSES = (
    "background", "skin", "l_brow", "r_brow", "l_eye", "r_eye", "nose", "upper lip", "inner mouth", "lower lip", "hair",
)  # fmt: skip
_IMAGES, _LABELS = "images", "labels"
_LISTS = ("exemplars.txt", "tuning.txt", "testing.txt")
"""For training, validation and test."""


class HelenSource(DataSource):
    """``PATH[?resize-masks]``: ``images``, ``labels``, ``exemplars.txt``, ``tuning.txt``, ``testing.txt``.

    The three lists are the training, the validation and the test part. Each picture has a soft mask for each class;
    the highest one decides.
    """

    @override
    @classmethod
    def open(cls, text: str, options: DataOptions) -> HelenSource:
        folder, given = path_and_options("helen", text, ("resize-masks",))
        require_folder(folder, _IMAGES, _LABELS, *_LISTS)
        resize_masks = options.resize_masks or "resize-masks" in given
        missing: list[Path] = []
        without: list[Path] = []
        listed = [_listed(folder, name, missing, without) for name in _LISTS]
        parts = named_parts(*listed, count=options.count, notes=missing_notes(folder, missing, without))
        notes = check_annotated(parts.all, resize_masks=resize_masks)
        return cls(
            source_name("helen", folder, {"resize-masks": resize_masks}),
            CLASSES,
            *parts.each(lambda part: AnnotatedPairs(part, size=options.size)),
            flip_swaps=left_and_right(CLASSES),
            notes=(*notes, *parts.notes),
            without_mask=len(without),
        )


class SoftMasks(Annotation):
    """A grey picture for each class, in the order of the classes; the first of equal ones wins."""

    def __init__(self, files: tuple[Path, ...]) -> None:
        self.files = files

    @property
    @override
    def name(self) -> str:
        return str(self.files[0])

    @override
    def shape(self) -> PictureShape:
        return picture_shape(self.files[0])

    @override
    def mask(self) -> Mask:
        levels = [read_picture(path).rgb[..., 0] for path in self.files]
        for path, level in zip(self.files, levels, strict=True):
            if level.shape != levels[0].shape:
                raise UserError(
                    f"mask {path}", seen=f"{level.shape[1]} x {level.shape[0]} pixels",
                    expected=f"{levels[0].shape[1]} x {levels[0].shape[0]} like {self.name}",
                    remedy="replace the file",
                )  # fmt: skip
        highest: Mask = np.argmax(levels, axis=0).astype(np.uint8)
        return highest

    @override
    def identity(self) -> str:
        return " ".join(f"{path.name} {path.stat().st_size}" for path in self.files)


def _listed(folder: Path, name: str, missing: list[Path], without: list[Path]) -> list[AnnotatedPicture]:
    """The pictures of a list whose files are there; the others are added to ``missing`` and ``without``."""
    found: list[AnnotatedPicture] = []
    for line in read_lines(folder / name):
        if line.startswith("#"):
            continue
        picture = Path(line.rpartition(",")[2].strip()).name
        image = folder / _IMAGES / f"{picture}.jpg"
        masks = tuple(folder / _LABELS / picture / f"{picture}_lbl{number:02}.png" for number in range(len(CLASSES)))
        if not is_there(image):
            missing.append(image)
        elif not all(map(is_there, masks)):
            without.append(image)
        else:
            found.append((image, SoftMasks(masks)))
    return found
