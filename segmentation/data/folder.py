"""``folder:PATH``: the user's own image and mask pairs."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from typing_extensions import override

from foundation.errors import UserError
from foundation.picture import PictureError, read_picture, upright_size
from segmentation.data.mask_file import read_mask, resized_mask
from segmentation.data.pair_files import PairFiles, find_pairs
from segmentation.data.source import PERSON_CLASSES, DataOptions, DataSource, Pair, PairDataset
from segmentation.losses import IGNORE

_CLASS_NAMES = "classes.txt"
_TRAIN_SHARE = 0.8
_TEST_ONE_IN = 10
_MIN_PAIRS_FOR_TEST = 50

_logger = logging.getLogger(__name__)


class FolderPairs(PairDataset):
    """Pairs of files, stretched to ``size``: proportions are not kept, nothing is cropped.

    With ``person_only`` every class but the background becomes the person (class 1).
    """

    def __init__(
        self, files: Sequence[PairFiles], classes: int, *, size: tuple[int, int], person_only: bool = False
    ) -> None:
        super().__init__(size)
        self.files, self.classes, self.person_only = tuple(files), classes, person_only

    @override
    def __len__(self) -> int:
        return len(self.files)

    @override
    def identity(self, index: int) -> str:
        return " ".join(f"{path.name} {path.stat().st_size}" for path in self.files[index])

    @override
    def make(self, index: int) -> Pair:
        image_file, mask_file = self.files[index]
        height, width = self.size
        with _unreadable_refused():
            picture = read_picture(image_file, at_least=self.size)
            mask = read_mask(mask_file, self.classes)
        if self.person_only:
            mask = (mask > 0).astype(np.uint8)
        image = Image.fromarray(picture.rgb).resize((width, height), Image.Resampling.BILINEAR)
        return np.array(image, np.uint8), resized_mask(mask, self.size)


class FolderSource(DataSource):
    """``PATH[?resize-masks]``: four fifths for training, one fifth for validation, split at random by the seed.

    Where there are 50 pairs or more, about every tenth is held out for the test part before that. The hash of an
    image's name decides, so it is the same pairs for every seed, and they stay the test part when pairs are added.

    Classes are background and person, unless ``classes.txt`` in the folder names others, one a line, background first.
    """

    @override
    @classmethod
    def open(cls, text: str, options: DataOptions) -> FolderSource:
        folder, given = path_and_options("folder", text, ("resize-masks",))
        resize_masks = options.resize_masks or "resize-masks" in given
        rest, test = _without_test(find_pairs(folder), options)
        if len(rest) < 2 or (options.count is not None and options.count < 2):
            seen = len(rest) if len(rest) < 2 else options.count
            raise UserError("number of pairs", seen=f"{seen} ({folder})", expected="at least 2", remedy="add pairs")
        order = np.random.default_rng(options.seed).permutation(len(rest))[: options.count]
        chosen = [rest[place] for place in order]
        check_sizes(sorted(chosen + test), resize_masks=resize_masks)
        classes = _class_names(folder)
        meaning = "0 background, 1 or 128 to 255 person" if len(classes) == 2 else f"class numbers, {IGNORE} unlabelled"
        _logger.info("masks of %s are read as %s", folder, meaning)
        held_out = max(1, round(len(chosen) * (1 - _TRAIN_SHARE)))
        return cls(
            name=f"folder:{folder}" + ("?resize-masks" if resize_masks else ""),
            classes=classes,
            train=FolderPairs(chosen[held_out:], len(classes), size=options.size),
            validation=FolderPairs(chosen[:held_out], len(classes), size=options.size),
            test=FolderPairs(test, len(classes), size=options.size),
            flip_swaps=left_and_right(classes),
        )


def _without_test(pairs: list[PairFiles], options: DataOptions) -> tuple[list[PairFiles], list[PairFiles]]:
    """The pairs for training and validation, and those of the test part (``options.count`` at most)."""
    if not options.hold_out_test or len(pairs) < _MIN_PAIRS_FOR_TEST:
        return pairs, []

    def held_out(pair: PairFiles) -> bool:
        return int.from_bytes(hashlib.sha256(pair[0].stem.encode()).digest()[:8]) % _TEST_ONE_IN == 0

    test = [pair for pair in pairs if held_out(pair)]
    return [pair for pair in pairs if not held_out(pair)], test[: options.count]


def path_and_options(kind: str, text: str, known: Sequence[str]) -> tuple[Path, set[str]]:
    """Reads ``PATH[?OPTION&OPTION]``; a path that exists may hold a question mark itself.

    Raises:
        UserError: no path, or an option that is not ``known``.
    """
    if not text:
        raise UserError(f"data source {kind}", seen="no path", expected=f"{kind}:PATH", remedy="add the path")
    if Path(text).expanduser().exists():
        return Path(text).expanduser(), set()
    path, _, options = text.partition("?")
    given = set(options.split("&")) - {""}
    unknown = sorted(given - set(known))
    if unknown:
        raise UserError(
            f"option of {kind}:PATH", seen=unknown[0], expected=" or ".join(sorted(known)), remedy="correct it"
        )
    return Path(path).expanduser(), given


def check_sizes(pairs: Sequence[PairFiles], *, resize_masks: bool) -> None:
    """Reads the header of every file; refuses a mask of another size than its image unless it may be resized.

    Raises:
        UserError: a file that cannot be opened, or a mask of another size.
    """
    for image_file, mask_file in pairs:
        with _unreadable_refused():
            image, mask = upright_size(image_file), upright_size(mask_file)
        if image != mask and not resize_masks:
            raise UserError(
                f"size of mask {mask_file}",
                seen=f"{mask[1]} x {mask[0]} pixels",
                expected=f"{image[1]} x {image[0]} like its image {image_file.name}",
                remedy="correct the mask, or let masks be resized with folder:PATH?resize-masks",
            )


@contextmanager
def _unreadable_refused() -> Iterator[None]:
    try:
        yield
    except PictureError as error:
        raise UserError(
            "picture", seen=error, expected="a whole JPEG, PNG or the like",
            remedy="replace the file or take it out of the folder",
        ) from error  # fmt: skip


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
