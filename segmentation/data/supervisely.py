"""``supervisely:PATH``: a project of Supervisely, such as its data set of persons."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from typing_extensions import override

from foundation.errors import UserError
from segmentation.data.annotation import AnnotatedPairs, AnnotatedPicture, check_annotated
from segmentation.data.annotation_file import Record, annotation_error, read_annotations, validated
from segmentation.data.left_right import left_and_right
from segmentation.data.name_list import is_there, missing_notes
from segmentation.data.named_parts import named_parts
from segmentation.data.part_names import PART_NAMES
from segmentation.data.path_options import path_and_options, require_folder, source_name
from segmentation.data.picture_files import picture_files
from segmentation.data.source import DataOptions, DataSource
from segmentation.data.supervisely_document import Objects
from segmentation.losses import IGNORE

_META = "meta.json"
_ANNOTATIONS, _PICTURES = "ann", "img"
_SHAPES = ("_bmp", "_poly")
_NEUTRAL = "neutral"
_AREAS = ("bitmap", "polygon")


class _Class(Record):
    title: str
    shape: str = ""


class _Meta(Record):
    classes: list[_Class]


class SuperviselySource(DataSource):
    """``PATH``: ``meta.json``, and folders with ``ann`` and ``img``, such as ``train`` and ``test`` or ``ds1``.

    Folders named ``train``, ``val`` or ``test`` are these parts; others are for training. Classes are those of
    ``meta.json`` that have an area; ``person_bmp`` and ``person_poly`` are one class ``person``, and ``neutral`` means
    no label. What no object covers is background.
    """

    @override
    @classmethod
    def open(cls, text: str, options: DataOptions) -> SuperviselySource:
        folder, _ = path_and_options("supervisely", text, ())
        require_folder(folder, _META)
        classes, numbers = _classes(folder / _META)
        listed: dict[str, list[AnnotatedPicture]] = {"train": [], "validation": [], "test": []}
        missing: list[Path] = []
        without: list[Path] = []
        for dataset in _datasets(folder):
            part = listed[PART_NAMES.get(dataset.name.lower(), "train")]
            for image, annotation in _pairs(dataset, without):
                if is_there(image):
                    part.append((image, Objects(annotation, numbers)))
                else:
                    missing.append(image)
        left = missing_notes(folder, missing, without)
        parts = named_parts(listed["train"], listed["validation"], listed["test"], count=options.count, notes=left)
        notes = check_annotated(parts.all, resize_masks=False)
        return cls(
            source_name("supervisely", folder, {}),
            classes,
            *parts.each(lambda part: AnnotatedPairs(part, size=options.size)),
            flip_swaps=left_and_right(classes),
            notes=(*notes, *parts.notes),
            without_mask=len(without),
        )


def _classes(path: Path) -> tuple[tuple[str, ...], dict[str, int]]:
    """Names of the classes, and the number of each title."""
    names = ["background"]
    numbers: dict[str, int] = {}
    for one in validated(path, _Meta, read_annotations(path)).classes:
        name = next((one.title.removesuffix(end) for end in _SHAPES if one.title.endswith(end)), one.title)
        if name == _NEUTRAL or (one.shape and one.shape not in _AREAS):
            numbers[one.title] = IGNORE
            continue
        if name not in names:
            names.append(name)
        numbers[one.title] = names.index(name)
    if not 2 <= len(names) <= IGNORE:
        raise annotation_error(path, f"{len(names) - 1} classes with an area")
    return tuple(names), numbers


def _datasets(folder: Path) -> list[Path]:
    places = sorted(path.parent for path in folder.glob(f"*/{_ANNOTATIONS}") if path.is_dir())
    if not places:
        raise UserError(
            "data folder", seen=f"no folder with {_ANNOTATIONS} and {_PICTURES} in {folder}",
            expected="a project of Supervisely", remedy="check the path",
        )  # fmt: skip
    return places


def _pairs(dataset: Path, without: list[Path]) -> Iterator[tuple[Path, Path]]:
    """Pictures, some of which may be missing, and their annotations; those without one are added to ``without``.

    An annotation is called as its picture and ``.json``, in older projects without the picture's ending.
    """
    pictures = picture_files(dataset / _PICTURES).pictures if (dataset / _PICTURES).is_dir() else ()
    annotations = {path.stem: path for path in sorted((dataset / _ANNOTATIONS).glob("*.json"))}
    for picture in pictures:
        found = annotations.pop(picture.name, None) or annotations.pop(picture.stem, None)
        if found is None:
            without.append(picture)
        else:
            yield picture, found
    for stem, path in annotations.items():
        yield dataset / _PICTURES / stem, path
