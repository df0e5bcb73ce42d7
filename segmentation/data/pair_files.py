"""Finds the image and mask files that belong together in a folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from foundation.errors import UserError

PairFiles = tuple[Path, Path]
"""An image's file and its mask's file."""

_IMAGE_FOLDERS = ("images", "image", "imgs", "photos", "training_images", "jpegimages")
_MASK_FOLDERS = ("masks", "mask", "labels", "annotations", "ground_truth", "segmentationclass")
_IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
_MASK_SUFFIXES = frozenset({".png", ".bmp", ".tif", ".tiff", ".gif", ".jpg", ".jpeg", ".webp"})
_MASK_ENDINGS = ("", "_mask", "-mask", "_matte", "_seg")
_LAYOUT = "images/NAME.jpg with masks/NAME.png, or NAME.jpg with NAME_mask.png"


def find_pairs(folder: Path) -> list[PairFiles]:
    """Pairs of ``folder``, sorted by the image's name.

    Two layouts are read: a folder of images and a folder of masks (``images`` and ``masks`` or other customary names,
    upper or lower case), or both side by side in one folder. A mask has its image's name, optionally followed by
    ``_mask`` or a similar ending.

    Raises:
        UserError: no such folder, nothing in it, an image without a mask, two masks for an image.
    """
    if not folder.is_dir():
        raise UserError(
            "data folder", seen=f"no folder {folder}", expected="a folder of images and masks", remedy="check the path"
        )
    images = _subfolder(folder, _IMAGE_FOLDERS)
    masks = _subfolder(folder, _MASK_FOLDERS)
    if images is not None and masks is not None:
        pairs = _matched(_files(images, _IMAGE_SUFFIXES), _files(masks, _MASK_SUFFIXES))
    else:
        pairs = _side_by_side(folder)
    if not pairs:
        raise UserError("data folder", seen=f"no pairs in {folder}", expected=_LAYOUT, remedy="arrange them like this")
    return pairs


def _subfolder(folder: Path, names: tuple[str, ...]) -> Path | None:
    present = {entry.name.lower(): entry for entry in sorted(folder.iterdir(), reverse=True) if entry.is_dir()}
    return next((present[name] for name in names if name in present), None)


def _files(folder: Path, suffixes: frozenset[str]) -> list[Path]:
    hidden_or_not = (path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in suffixes)
    return sorted((path for path in hidden_or_not if not path.name.startswith(".")), key=lambda path: path.name)


def _side_by_side(folder: Path) -> list[PairFiles]:
    files = _files(folder, _IMAGE_SUFFIXES | _MASK_SUFFIXES)
    marked = [path for path in files if path.stem.endswith(_MASK_ENDINGS[1:])]
    if marked:
        taken = set(marked)
        return _matched([path for path in files if path not in taken], marked)
    photographs = [path for path in files if path.suffix.lower() in (".jpg", ".jpeg")]
    return _matched(photographs, [path for path in files if path.suffix.lower() == ".png"])


def _matched(images: list[Path], masks: list[Path]) -> list[PairFiles]:
    by_stem = _by_stem(masks)
    pairs: list[PairFiles] = []
    for image in images:
        mask = next((by_stem[image.stem + end] for end in _MASK_ENDINGS if image.stem + end in by_stem), None)
        if mask is None:
            raise UserError(
                "data folder", seen=f"image {image} without a mask", expected=_LAYOUT,
                remedy="add the mask or take the image out of the folder",
            )  # fmt: skip
        pairs.append((image, mask))
    return pairs


def _by_stem(paths: Iterable[Path]) -> dict[str, Path]:
    by_stem: dict[str, Path] = {}
    for path in paths:
        other = by_stem.setdefault(path.stem, path)
        if other is not path:
            raise UserError(
                "data folder", seen=f"two masks {other.name} and {path.name} in {path.parent}",
                expected="one mask for each image", remedy="take one of them out of the folder",
            )  # fmt: skip
    return by_stem
