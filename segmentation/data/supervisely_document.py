"""Annotations of Supervisely: bitmaps and polygons of one picture (https://docs.supervisely.com, annotation format)."""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field
from typing_extensions import override

from foundation.picture import BROKEN_PICTURE
from segmentation.data.annotation import Annotation
from segmentation.data.annotation_file import Coordinate, Record, Side, annotation_error, read_annotations, validated
from segmentation.data.exif import PictureShape
from segmentation.data.mask_convention import Mask
from segmentation.data.polygon import Ring, filled

_BITMAP_BYTES = 2**26
"""Of a PNG; a bitmap of a whole photograph has some kilobytes."""
_CORNERS = 3
_POLYGON = (None, "polygon")
"""Kinds of an object with corners that has an area; older files name none."""
_RingOf = list[tuple[Coordinate, Coordinate]]


class _Size(Record):
    height: Side
    width: Side


class _Points(Record):
    exterior: _RingOf = Field(default_factory=list)
    interior: list[_RingOf] = Field(default_factory=list)


class _Bitmap(Record):
    data: str
    origin: tuple[Annotated[int, Field(ge=0, le=2**16)], Annotated[int, Field(ge=0, le=2**16)]]


class _Object(Record):
    title: str = Field(alias="classTitle")
    kind: str | None = Field(default=None, alias="geometryType")
    bitmap: _Bitmap | None = None
    points: _Points | None = None


class _Document(Record):
    size: _Size
    objects: list[_Object]


class Objects(Annotation):
    """The objects of one picture; later ones cover earlier ones.

    Args:
        path: the annotation's file.
        numbers: class of each title.

    Raises:
        UserError: no annotation, or a title without a number.
    """

    def __init__(self, path: Path, numbers: Mapping[str, int]) -> None:
        self.path, self.numbers = path, numbers
        document = self._document()
        self.size = document.size
        unknown = next((one.title for one in document.objects if one.title not in numbers), None)
        if unknown is not None:
            raise annotation_error(path, f"the class {unknown!a}, which meta.json does not have")

    @property
    @override
    def name(self) -> str:
        return str(self.path)

    @override
    def shape(self) -> PictureShape:
        return PictureShape((self.size.height, self.size.width), 1)

    @override
    def mask(self) -> Mask:
        mask = np.zeros((self.size.height, self.size.width), np.uint8)
        for one in self._document().objects:
            number = self.numbers[one.title]
            if one.bitmap is not None:
                self._paint(mask, one.bitmap, number)
            elif one.points is not None and one.kind in _POLYGON:
                mask[filled(_rings(one.points), *mask.shape)] = number
        return mask

    @override
    def identity(self) -> str:
        return f"{self.path.name} {self.path.stat().st_size}"

    def _document(self) -> _Document:
        return validated(self.path, _Document, read_annotations(self.path))

    def _paint(self, mask: Mask, bitmap: _Bitmap, number: int) -> None:
        left, top = bitmap.origin
        try:
            pixels = _bitmap_pixels(bitmap.data, mask.shape[0] - top, mask.shape[1] - left)
        except (*BROKEN_PICTURE, Image.DecompressionBombError, zlib.error) as error:
            raise annotation_error(self.path, f"a bitmap that cannot be read ({error})") from error
        mask[top : top + pixels.shape[0], left : left + pixels.shape[1]][pixels] = number


def _bitmap_pixels(data: str, height: int, width: int) -> NDArray[np.bool_]:
    """A PNG, compressed once more, as text; it is at most ``height`` x ``width``."""
    decompressor = zlib.decompressobj()
    content = decompressor.decompress(base64.b64decode(data, validate=True), _BITMAP_BYTES)
    if decompressor.unconsumed_tail:
        raise ValueError(f"more than {_BITMAP_BYTES:,} bytes")
    with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
        if image.height > height or image.width > width:
            raise ValueError(f"{image.width} x {image.height} pixels, which leave the picture")
        image.load()
        opaque = image.has_transparency_data
        return np.asarray(image.convert("RGBA").getchannel("A") if opaque else image.convert("RGB").convert("L")) > 0


def _rings(points: _Points) -> list[Ring]:
    """Corners are the middles of pixels there."""
    rings = [points.exterior, *points.interior]
    return [[(x + 0.5, y + 0.5) for x, y in ring] for ring in rings if len(ring) >= _CORNERS]
