"""``folder:PATH``: image and mask pairs of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from foundation.errors import UserError
from segmentation.data.image_file import read_image, upright_size
from segmentation.data.mask_file import read_mask, resized_mask
from segmentation.data.pair_files import PairFiles, find_pairs
from segmentation.data.source import PERSON_CLASSES, DataSource, Pair, PairDataset

_CLASS_NAMES = "classes.txt"
_TRAIN_SHARE = 0.8


class FolderPairs(PairDataset):
    """Pairs of files, decoded once. Both are stretched to ``size``: proportions are not kept, nothing is cut off.

    With ``person_only`` every class but the background counts as the person (class 1).
    """

    def __init__(
        self, files: Sequence[PairFiles], classes: int, *, size: tuple[int, int], person_only: bool = False
    ) -> None:
        super().__init__(size)
        self.files, self.classes, self.person_only = tuple(files), classes, person_only

    def __len__(self) -> int:
        return len(self.files)

    def make(self, index: int) -> Pair:
        """Reads one pair.

        Raises:
            UserError: a file that cannot be read, or mask values out of range.
        """
        image_file, mask_file = self.files[index]
        height, width = self.size
        image = read_image(image_file, at_least=self.size).resize((width, height), Image.Resampling.BILINEAR)
        mask = read_mask(mask_file, self.classes)
        if self.person_only:
            mask = (mask > 0).astype(np.uint8)
        return np.array(image, np.uint8), resized_mask(mask, self.size)


def folder_source(
    folder: Path,
    *,
    seed: int = 0,
    count: int | None = None,
    size: tuple[int, int] = (256, 256),
    resize_masks: bool = False,
) -> DataSource:
    """Pairs of a folder, four fifths to train on and one fifth for validation, dealt by ``seed``.

    Classes are background and person, unless ``classes.txt`` in the folder names others, one a line, background
    first. ``count`` takes only so many of the pairs, drawn by ``seed``.

    Raises:
        UserError: no pairs, fewer than two, files that cannot be opened, or a mask of another size than its image
            (unless ``resize_masks``).
    """
    pairs = find_pairs(folder)
    if len(pairs) < 2 or (count is not None and count < 2):
        seen = len(pairs) if len(pairs) < 2 else count
        raise UserError("number of pairs", seen=f"{seen} ({folder})", expected="at least 2", remedy="add pairs")
    order = np.random.default_rng(seed).permutation(len(pairs))[:count]
    chosen = [pairs[place] for place in order]
    check_sizes(sorted(chosen), resize_masks=resize_masks)
    classes = _class_names(folder)
    held_out = max(1, round(len(chosen) * (1 - _TRAIN_SHARE)))
    return DataSource(
        name=f"folder:{folder}" + ("?resize-masks" if resize_masks else ""),
        classes=classes,
        train=FolderPairs(chosen[held_out:], len(classes), size=size),
        validation=FolderPairs(chosen[:held_out], len(classes), size=size),
        flip_swaps=left_and_right(classes),
    )


def check_sizes(pairs: Sequence[PairFiles], *, resize_masks: bool) -> None:
    """Opens the head of every file; refuses a mask of another size than its image unless it may be resized.

    Raises:
        UserError: a file that cannot be opened, or a mask of another size.
    """
    for image_file, mask_file in pairs:
        image, mask = upright_size(image_file), upright_size(mask_file)
        if image != mask and not resize_masks:
            raise UserError(
                f"size of mask {mask_file}",
                seen=f"{mask[1]} x {mask[0]} pixels",
                expected=f"{image[1]} x {image[0]} like its image {image_file.name}",
                remedy="correct the mask, or let masks be resized with folder:PATH?resize-masks",
            )


def left_and_right(classes: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Pairs of classes that a mirror exchanges, by name: ``l_eye`` and ``r_eye``, ``left ear`` and ``right ear``."""
    numbers = {name: number for number, name in enumerate(classes)}
    swaps = []
    for name, number in numbers.items():
        for left, right in (("l_", "r_"), ("left", "right")):
            partner = right + name.removeprefix(left)
            if name.startswith(left) and partner in numbers:
                swaps.append((number, numbers[partner]))
    return tuple(swaps)


def _class_names(folder: Path) -> tuple[str, ...]:
    path = folder / _CLASS_NAMES
    if not path.is_file():
        return PERSON_CLASSES
    names = tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    if not 2 <= len(names) <= 255 or len(set(names)) < len(names):
        raise UserError(
            str(path), seen=f"{len(names)} names, {len(set(names))} of them different",
            expected="2 to 255 different names, one a line, background first", remedy="correct the file",
        )  # fmt: skip
    return names
