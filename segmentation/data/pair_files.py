"""Finds the image and mask files that belong together in a folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from foundation.errors import UserError
from segmentation.data.class_names import class_file
from segmentation.data.picture_files import FolderFiles, left_out, picture_files

PairFiles = tuple[Path, Path]
"""An image's file and its mask's file."""

_IMAGE_FOLDERS = ("images", "image", "imgs", "photos", "training_images", "jpegimages")
_MASK_FOLDERS = ("masks", "mask", "labels", "annotations", "ground_truth", "segmentationclass")
_MASK_ENDINGS = ("", "_mask", "-mask", "_matte", "_seg")
_LAYOUT = "images/NAME.jpg with masks/NAME.png, or NAME.jpg with NAME_mask.png"
_UNREADABLE = "no pictures that can be read"


@dataclass(frozen=True, slots=True)
class FoundPairs:
    """The pairs of a folder, sorted by the image's name, and a sentence on each kind of file that is left out."""

    pairs: list[PairFiles]
    notes: tuple[str, ...]


def find_pairs(folder: Path) -> FoundPairs:
    """Pairs of ``folder``.

    Two layouts are read: a folder of images and a folder of masks (``images`` and ``masks`` or other customary names,
    upper or lower case), or both side by side in one folder. A mask has its image's name, optionally followed by
    ``_mask`` or a similar ending.

    Raises:
        UserError: no such folder, nothing in it, an image without a mask, two masks for an image or two images for a
            mask.
    """
    if not folder.is_dir():
        raise UserError(
            "data folder", seen=f"no folder {folder}", expected="a folder of images and masks", remedy="check the path"
        )
    images, masks = _subfolder(folder, _IMAGE_FOLDERS), _subfolder(folder, _MASK_FOLDERS)
    if images is not None and masks is not None:
        image_files, mask_files = picture_files(images), picture_files(masks)
        unreadable = left_out(images, image_files.others, _UNREADABLE)
        unreadable += left_out(masks, mask_files.others, _UNREADABLE)
    else:
        names = class_file(folder)
        files = picture_files(folder, known=[] if names is None else [names])
        image_files, mask_files = _side_by_side(files)
        unreadable = left_out(folder, files.others, _UNREADABLE)
    found = _matched(image_files.pictures, mask_files)
    if not found.pairs:
        raise UserError(
            "data folder", seen="; ".join((f"no pairs in {folder}", *unreadable)), expected=_LAYOUT,
            remedy="arrange them like this",
        )  # fmt: skip
    return FoundPairs(found.pairs, (*unreadable, *found.notes))


def has_pair_folders(folder: Path) -> bool:
    """Whether there is a folder of images and one of masks in it."""
    return folder.is_dir() and all(_subfolder(folder, names) is not None for names in (_IMAGE_FOLDERS, _MASK_FOLDERS))


def _subfolder(folder: Path, names: tuple[str, ...]) -> Path | None:
    present = {entry.name.lower(): entry for entry in sorted(folder.iterdir(), reverse=True) if entry.is_dir()}
    return next((present[name] for name in names if name in present), None)


def _side_by_side(files: FolderFiles) -> tuple[FolderFiles, FolderFiles]:
    masks = tuple(path for path in files.pictures if path.stem.endswith(_MASK_ENDINGS[1:]))
    if not masks:
        masks = tuple(path for path in files.pictures if path.suffix.lower() == ".png")
    taken = set(masks)
    images = tuple(path for path in files.pictures if path not in taken)
    return FolderFiles(images, ()), FolderFiles(masks, files.others)


def _matched(images: Sequence[Path], masks: FolderFiles) -> FoundPairs:
    by_stem = _by_stem(masks.pictures)
    used: dict[Path, Path] = {}
    without = [image for image in images if not any(image.stem + end in by_stem for end in _MASK_ENDINGS)]
    if without:
        _refuse_alone(without, masks)
    for image in images:
        fitting = [by_stem[image.stem + end] for end in _MASK_ENDINGS if image.stem + end in by_stem]
        if len(fitting) > 1:
            _refuse_two_masks(fitting[0], fitting[1])
        mask = fitting[0]
        other = used.setdefault(mask, image)
        if other is not image:
            raise UserError(
                "data folder", seen=f"two images {other.name} and {image.name} in {image.parent} for {mask.name}",
                expected="one image for each mask", remedy="take one of them out of the folder",
            )  # fmt: skip
    alone = [path for path in masks.pictures if path not in used]
    notes = left_out(alone[0].parent, alone, "masks without an image") if alone else []
    return FoundPairs([(image, mask) for mask, image in used.items()], tuple(notes))


def _refuse_alone(images: Sequence[Path], masks: FolderFiles) -> NoReturn:
    stems = {images[0].stem + end for end in _MASK_ENDINGS}
    unreadable = next((f" ({path.name} cannot be read)" for path in masks.others if path.stem in stems), "")
    more = f", and {len(images) - 1} more images without one" if len(images) > 1 else ""
    raise UserError(
        "data folder", seen=f"image {images[0]} without a mask{unreadable}{more}", expected=_LAYOUT,
        remedy="add the mask or take the image out of the folder",
    )  # fmt: skip


def _by_stem(paths: Iterable[Path]) -> dict[str, Path]:
    by_stem: dict[str, Path] = {}
    for path in paths:
        other = by_stem.setdefault(path.stem, path)
        if other is not path:
            _refuse_two_masks(other, path)
    return by_stem


def _refuse_two_masks(first: Path, second: Path) -> NoReturn:
    raise UserError(
        "data folder", seen=f"two masks {first.name} and {second.name} in {first.parent}",
        expected="one mask for each image", remedy="take one of them out of the folder",
    )  # fmt: skip
