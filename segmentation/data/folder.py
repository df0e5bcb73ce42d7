"""``folder:PATH``: the user's own image and mask pairs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from typing_extensions import override

from foundation.errors import UserError
from segmentation.data.class_names import class_names
from segmentation.data.folder_pairs import FolderPairs, check_pairs
from segmentation.data.left_right import left_and_right
from segmentation.data.pair_files import PairFiles, find_pairs, has_pair_folders
from segmentation.data.part_names import PART_NAMES, PartName
from segmentation.data.path_options import path_and_options, source_name
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

    Folders ``train``, ``val`` and ``test`` are these parts, where ``PATH`` itself has no pairs. Without ``val`` one
    fifth of ``train`` validates; without ``test`` there is no test part.

    Classes are background and person, unless ``classes.txt`` in the folder names others, one a line, background first.
    What the masks' values mean is decided over all masks of the folder.
    """

    @override
    @classmethod
    def open(cls, text: str, options: DataOptions) -> FolderSource:
        folder, given = path_and_options("folder", text, ("resize-masks",))
        resize_masks = options.resize_masks or "resize-masks" in given
        places = {} if has_pair_folders(folder) else _part_folders(folder)
        found = _found_in_parts(places, options) if "train" in places else _found(folder, options)
        classes = class_names(folder)
        checked = check_pairs(found.all, len(classes), resize_masks=resize_masks)
        train, validation, test = (
            FolderPairs(files, checked.convention, size=options.size)
            for files in (found.train, found.validation, found.test)
        )
        return cls(
            name=source_name("folder", folder, {"resize-masks": resize_masks}),
            classes=classes,
            train=train,
            validation=validation,
            test=test,
            flip_swaps=left_and_right(classes),
            notes=(*checked.notes, *found.notes),
            reading=checked.reading,
        )


@dataclass(frozen=True, slots=True)
class _Files:
    train: list[PairFiles]
    validation: list[PairFiles]
    test: list[PairFiles]
    all: list[PairFiles]
    """Also pairs that no part uses: what their masks hold helps to decide how masks are read."""
    notes: tuple[str, ...]


def _found(folder: Path, options: DataOptions) -> _Files:
    found = find_pairs(folder)
    rest, test = _without_test(found.pairs, options)
    repeats: list[str] = []
    if options.hold_out_test:  # older runs keep their split
        rest, repeats = without_repeats(rest, test)
    train, validation = _dealt(rest, folder, options)
    return _Files(train, validation, test, found.pairs, (*found.notes, *repeats))


def _found_in_parts(places: dict[PartName, Path], options: DataOptions) -> _Files:
    found = {part: find_pairs(place) for part, place in places.items()}
    pairs = {part: files.pairs for part, files in found.items()}
    everything = [pair for part in pairs.values() for pair in part]
    test = pairs.get("test", [])[: options.count]
    validation, repeats = without_repeats(pairs.get("validation", []), test)
    train, more = without_repeats(pairs["train"], [*validation, *test])
    if validation and options.count is not None:
        validation = validation[: max(1, options.count // 5)]
        train = train[: options.count - len(validation)]
    elif not validation:
        train, validation = _dealt(train, places["train"], options)
    notes = (note for files in found.values() for note in files.notes)
    return _Files(train, validation, test, everything, (*notes, *repeats, *more))


def _part_folders(folder: Path) -> dict[PartName, Path]:
    """The folders of parts in a folder; none where it does not exist."""
    places: dict[PartName, Path] = {}
    for place in sorted(folder.iterdir()) if folder.is_dir() else ():
        part = PART_NAMES.get(place.name.lower())
        if part is None or not place.is_dir():
            continue
        if part in places:
            raise UserError(
                "data folder", seen=f"{places[part].name} and {place.name} in {folder}",
                expected=f"one folder for {part}", remedy="put their pairs together",
            )  # fmt: skip
        places[part] = place
    return places


def _dealt(pairs: Sequence[PairFiles], folder: Path, options: DataOptions) -> tuple[list[PairFiles], list[PairFiles]]:
    """Pairs for training and for validation, at random by the seed."""
    if len(pairs) < 2 or (options.count is not None and options.count < 2):
        seen = len(pairs) if len(pairs) < 2 else options.count
        raise UserError("number of pairs", seen=f"{seen} ({folder})", expected="at least 2", remedy="add pairs")
    order = np.random.default_rng(options.seed).permutation(len(pairs))[: options.count]
    chosen = [pairs[place] for place in order]
    held_out = max(1, round(len(chosen) * (1 - _TRAIN_SHARE)))
    return chosen[held_out:], chosen[:held_out]


def _without_test(pairs: list[PairFiles], options: DataOptions) -> tuple[list[PairFiles], list[PairFiles]]:
    """The pairs for training and validation, and those of the test part (``options.count`` at most)."""
    if not options.hold_out_test or len(pairs) < _MIN_PAIRS_FOR_TEST:
        return pairs, []

    def held_out(pair: PairFiles) -> bool:
        return int.from_bytes(hashlib.sha256(pair[0].stem.encode()).digest()[:8]) % _TEST_ONE_IN == 0

    test = [pair for pair in pairs if held_out(pair)]
    return [pair for pair in pairs if not held_out(pair)], test[: options.count]
