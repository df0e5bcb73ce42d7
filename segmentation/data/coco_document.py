"""Persons in the annotations of COCO (``instances_*.json``; https://cocodataset.org/#format-data)."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from typing_extensions import override

from segmentation.data.annotation import AnnotatedPicture, Annotation
from segmentation.data.annotation_file import Coordinate, Record, Side, annotation_error, read_annotations, validated
from segmentation.data.exif import PictureShape
from segmentation.data.mask_convention import Mask
from segmentation.data.polygon import filled
from segmentation.data.run_length import decoded
from segmentation.losses import IGNORE

_BYTES = 2**30
"""Largest file; that of COCO's training part has 470 million bytes."""
_PERSON = "person"
_CORNERS = 3


class _Category(Record):
    id: int
    name: str


class _Image(Record):
    id: int
    file_name: str
    height: Side
    width: Side


class _RunLengths(Record):
    size: tuple[Side, Side]
    counts: list[Annotated[int, Field(ge=0, le=2**32)]] | str


class _Object(Record):
    image_id: int
    iscrowd: int = 0
    segmentation: _RunLengths | list[list[Coordinate]]


class Persons(Annotation):
    """The persons of one picture; crowds, which are outlined as a whole, have no label."""

    def __init__(self, path: Path, image: _Image, objects: tuple[_Object, ...]) -> None:
        self.path, self.image, self.objects = path, image, objects

    @property
    @override
    def name(self) -> str:
        return f"of {self.image.file_name} in {self.path}"

    @override
    def shape(self) -> PictureShape:
        return PictureShape((self.image.height, self.image.width), 1)

    @override
    def mask(self) -> Mask:
        mask = np.zeros((self.image.height, self.image.width), np.uint8)
        for one in sorted(self.objects, key=lambda one: not one.iscrowd):
            mask[self._pixels(one.segmentation)] = IGNORE if one.iscrowd else 1
        return mask

    @override
    def identity(self) -> str:
        content = "".join(one.model_dump_json() for one in self.objects)
        return hashlib.sha256(content.encode()).hexdigest()

    def _pixels(self, outline: _RunLengths | list[list[float]]) -> NDArray[np.bool_]:
        height, width = self.image.height, self.image.width
        if isinstance(outline, list):
            parts = (list(zip(ring[::2], ring[1::2], strict=False)) for ring in outline)
            rings = [filled([part], height, width) for part in parts if len(part) >= _CORNERS]
            return np.logical_or.reduce(rings, axis=0) if rings else np.zeros((height, width), bool)
        try:
            if outline.size != (height, width):
                raise ValueError(f"run lengths of {outline.size[1]} x {outline.size[0]} pixels in {width} x {height}")
            return decoded(outline.counts, height, width)
        except ValueError as error:
            raise annotation_error(self.path, f"{self.image.file_name}: {error}") from error


def persons(path: Path, pictures: Path) -> list[AnnotatedPicture]:
    """The pictures of a file on which there is a person, with the places in ``pictures`` at which they should be.

    Raises:
        UserError: no such file, other content, or no category ``person``.
    """
    document = read_annotations(path, limit=_BYTES)
    if not isinstance(document, dict):
        raise annotation_error(path, "no JSON object")
    person = _person(path, document)
    objects: defaultdict[int, list[_Object]] = defaultdict(list)
    for number, content in enumerate(_list(path, document, "annotations")):
        if isinstance(content, dict) and content.get("category_id") == person:
            one = validated(path, _Object, content, where=f"annotations.{number}")
            objects[one.image_id].append(one)
    images = list(_images(path, document))
    return [
        (pictures / image.file_name, Persons(path, image, tuple(objects[image.id])))
        for image in images
        if any(not one.iscrowd for one in objects[image.id])
    ]


def _person(path: Path, document: Mapping[str, Any]) -> int:
    categories = [
        validated(path, _Category, content, where=f"categories.{number}")
        for number, content in enumerate(_list(path, document, "categories"))
    ]
    for category in categories:
        if category.name.lower() == _PERSON:
            return category.id
    names = ", ".join(category.name for category in categories[:5])
    raise annotation_error(path, f"no category {_PERSON} but {names or 'none'}")


def _images(path: Path, document: Mapping[str, Any]) -> Iterator[_Image]:
    for number, content in enumerate(_list(path, document, "images")):
        image = validated(path, _Image, content, where=f"images.{number}")
        place = PurePosixPath(image.file_name)
        if place.is_absolute() or ".." in place.parts or not image.file_name.isprintable():
            raise annotation_error(path, f"images.{number}: the file name {image.file_name!a}")
        yield image


def _list(path: Path, document: Mapping[str, Any], key: str) -> list[Any]:
    content = document.get(key)
    if not isinstance(content, list):
        raise annotation_error(path, f"no list {key}")
    return content
