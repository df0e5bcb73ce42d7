"""CelebAMask-HQ as it is published: a mask for each part of a face, and the parts of CelebA.

https://github.com/switchablenorms/CelebAMask-HQ (Lee et al., CVPR 2020); the order in which masks are laid over each
other is that of its ``g_mask.py``. CelebA: Liu et al., ICCV 2015.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from foundation.errors import UserError
from segmentation.data.annotation import AnnotatedPicture, Annotation
from segmentation.data.exif import PictureShape, picture_shape
from segmentation.data.mask_convention import Mask
from segmentation.data.mask_planes import read_planes
from segmentation.data.name_list import is_there, missing_notes, read_lines
from segmentation.data.path_options import require_folder

CLASSES = (
    "background", "skin", "nose", "glasses", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth", "u_lip",
    "l_lip", "hair", "hat", "earring", "necklace", "neck", "cloth",
)  # fmt: skip
IMAGE_FOLDER = "CelebA-HQ-img"
_MASK_FOLDER = "CelebAMask-HQ-mask-anno"
_MAPPING = "CelebA-HQ-to-CelebA-mapping.txt"
_PARTITION = "list_eval_partition.txt"
_FILE_PARTS = (
    "skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth", "u_lip", "l_lip", "hair",
    "hat", "ear_r", "neck_l", "neck", "cloth",
)  # fmt: skip
"""Names in the files of the classes 1 to 18; later ones cover earlier ones."""
_NUMBER = {name: number for number, name in enumerate(_FILE_PARTS, start=1)}
_MASK_NAME = re.compile(r"(\d+)_(\w+)\.png")
_FIRST_VALIDATION, _FIRST_TEST = 162_771, 182_638
"""Numbers of CelebA's pictures at which its validation and its test part begin."""


class PartMasks(Annotation):
    """A file for each part; pixels that are not black belong to it."""

    def __init__(self, files: Mapping[int, Path]) -> None:
        self.files = dict(sorted(files.items()))

    @property
    @override
    def name(self) -> str:
        return str(next(iter(self.files.values())))

    @override
    def shape(self) -> PictureShape:
        return picture_shape(Path(self.name))

    @override
    def mask(self) -> Mask:
        mask: Mask | None = None
        for number, path in self.files.items():
            part = _not_black(path)
            if mask is None:
                mask = np.zeros(part.shape, np.uint8)
            if part.shape != mask.shape:
                raise UserError(
                    f"mask {path}", seen=f"{part.shape[1]} x {part.shape[0]} pixels",
                    expected=f"{mask.shape[1]} x {mask.shape[0]} like {self.name}", remedy="replace the file",
                )  # fmt: skip
            mask[part] = number
        assert mask is not None
        return mask

    @override
    def identity(self) -> str:
        return " ".join(f"{path.name} {path.stat().st_size}" for path in self.files.values())


@dataclass(frozen=True, slots=True)
class OfficialParts:
    """The pictures of each part of CelebA, by number, and a sentence on those that are left out."""

    train: list[AnnotatedPicture]
    validation: list[AnnotatedPicture]
    test: list[AnnotatedPicture]
    notes: tuple[str, ...]
    without_mask: int


def official_parts(folder: Path) -> OfficialParts:
    """Pictures with their masks. A file ``list_eval_partition.txt`` of CelebA beside them is read if it is there.

    Raises:
        UserError: a folder or a list is missing or damaged.
    """
    require_folder(folder, IMAGE_FOLDER, _MASK_FOLDER, _MAPPING)
    masks = _masks(folder / _MASK_FOLDER)
    partition = _partition(folder / _PARTITION)
    train: list[AnnotatedPicture] = []
    validation: list[AnnotatedPicture] = []
    test: list[AnnotatedPicture] = []
    missing, without = [], []
    for number, original in _mapping(folder / _MAPPING):
        image = folder / IMAGE_FOLDER / f"{number}.jpg"
        if not is_there(image):
            missing.append(image)
        elif number not in masks:
            without.append(image)
        else:
            (train, validation, test)[_part(original, partition)].append((image, PartMasks(masks[number])))
    notes = missing_notes(folder, missing, without)
    return OfficialParts(train, validation, test, notes, len(without))


def _masks(folder: Path) -> dict[int, dict[int, Path]]:
    """By number of the picture, the files by class."""
    found: defaultdict[int, dict[int, Path]] = defaultdict(dict)
    for place, _, names in os.walk(folder):
        for name in names:
            match = _MASK_NAME.fullmatch(name)
            if match and match[2] in _NUMBER:
                found[int(match[1])][_NUMBER[match[2]]] = Path(place, name)
    return found


def _mapping(path: Path) -> Iterator[tuple[int, str]]:
    """Number of a picture, and its name in CelebA; the first line is a heading."""
    for line in read_lines(path):
        columns = line.split()
        if columns[0].isdecimal():
            if len(columns) != 3 or not Path(columns[2]).stem.isdecimal():
                _refuse(path, line, "a number, another one and a name such as 000001.jpg")
            yield int(columns[0]), columns[2]


def _partition(path: Path) -> dict[str, int]:
    parts = {}
    for line in read_lines(path) if path.exists() else ():
        name, _, part = line.partition(" ")
        if part not in ("0", "1", "2"):
            _refuse(path, line, "a name and 0, 1 or 2")
        parts[name] = int(part)
    return parts


def _part(original: str, partition: Mapping[str, int]) -> int:
    """0 training, 1 validation, 2 test."""
    number = int(Path(original).stem)
    return partition.get(original, (number >= _FIRST_VALIDATION) + (number >= _FIRST_TEST))


def _not_black(path: Path) -> NDArray[np.bool_]:
    planes = read_planes(path)
    values = planes.values if planes.palette is None else planes.palette[planes.values]
    return np.asarray(values != 0)


def _refuse(path: Path, line: str, expected: str) -> NoReturn:
    raise UserError(
        f"line of {path}", seen=repr(line[:60]), expected=expected, remedy="get the file again from where it is from"
    )
