from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from segmentation.data.exif import PictureShape, picture_shape


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "webp"])
@pytest.mark.parametrize("orientation", [None, 1, 3, 5, 6, 8, 0, 9])
def test_shape_from_the_header(tmp_path: Path, ending: str, orientation: int | None) -> None:
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    path = tmp_path / f"a.{ending}"
    Image.new("RGB", (30, 20)).save(path, exif=exif)
    seen = orientation if orientation in range(1, 9) else 1
    assert picture_shape(path) == PictureShape((30, 20) if seen >= 5 else (20, 30), seen)
