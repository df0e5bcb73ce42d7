"""``folder:PATH``: the user's own image and mask pairs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from typing_extensions import override

from foundation.errors import UserError
from segmentation.data.class_names import class_names
from segmentation.data.folder_pairs import FolderPairs, check_pairs
from segmentation.data.pair_files import PairFiles, find_pairs
from segmentation.data.repeated_pictures import without_repeats
from segmentation.data.source import DataOptions, DataSource

_TRAIN_SHARE = 0.8
_TEST_ONE_IN = 10
_MIN_PAIRS_FOR_TEST = 50


class FolderSource(DataSource):
    """``PATH[?resize-masks]``: four fifths for training, one fifth for validation, split at random by the seed.

    Where there are 50 pairs or more, about every tenth is held out for the test part before that. The hash of an
    image's name decides, so it is the same pairs for every seed, and they stay the test part when pairs are added.
    A photograph that is there twice counts once.

    Classes are background and person, unless ``classes.txt`` in the folder names others, one a line, background first.
    What the masks' values mean is decided over all masks of the folder.
    """

    @override
    @classmethod
    def open(cls, text: str, options: DataOptions) -> FolderSource:
        folder, given = path_and_options("folder", text, ("resize-masks",))
        resize_masks = options.resize_masks or "resize-masks" in given
        found = find_pairs(folder)
        rest, test = _without_test(found.pairs, options)
        repeats: list[str] = []
        if options.hold_out_test:  # older runs keep their split
            rest, repeats = without_repeats(rest, test)
        if len(rest) < 2 or (options.count is not None and options.count < 2):
            seen = len(rest) if len(rest) < 2 else options.count
            raise UserError("number of pairs", seen=f"{seen} ({folder})", expected="at least 2", remedy="add pairs")
        order = np.random.default_rng(options.seed).permutation(len(rest))[: options.count]
        chosen = [rest[place] for place in order]
        classes = class_names(folder)
        checked = check_pairs(found.pairs, len(classes), resize_masks=resize_masks)
        held_out = max(1, round(len(chosen) * (1 - _TRAIN_SHARE)))
        train, validation, test_part = (
            FolderPairs(files, checked.convention, size=options.size)
            for files in (chosen[held_out:], chosen[:held_out], test)
        )
        return cls(
            name=f"folder:{folder}" + ("?resize-masks" if resize_masks else ""),
            classes=classes,
            train=train,
            validation=validation,
            test=test_part,
            flip_swaps=left_and_right(classes),
            notes=(*checked.notes, *found.notes, *repeats),
            reading=checked.reading,
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

    Returns:
        The absolute path, so that the source opens again from any folder, and the options.

    Raises:
        UserError: no path, or an option that is not ``known``.
    """
    if not text:
        raise UserError(f"data source {kind}", seen="no path", expected=f"{kind}:PATH", remedy="add the path")
    if _expanded(text).exists():
        return _expanded(text).absolute(), set()
    path, _, options = text.partition("?")
    given = set(options.split("&")) - {""}
    unknown = sorted(given - set(known))
    if unknown:
        raise UserError(
            f"option of {kind}:PATH", seen=unknown[0], expected=" or ".join(sorted(known)), remedy="correct it"
        )
    return _expanded(path).absolute(), given


def _expanded(path: str) -> Path:
    """With the home folder for ``~``; as it is where that user is not known."""
    with suppress(RuntimeError):
        return Path(path).expanduser()
    return Path(path)


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
