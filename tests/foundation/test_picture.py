from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foundation.picture import PictureError, eight_bits, read_picture


def saved(tmp_path: Path, image: Image.Image, name: str = "picture.png", **settings: object) -> Path:
    path = tmp_path / name
    image.save(path, **settings)
    return path


_rows, _columns = np.mgrid[0:20, 0:30]
COLOUR = np.stack([8 * _columns, 12 * _rows, 4 * (_rows + _columns)], 2).astype(np.uint8)


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("RGB", "a.png"), ("RGB", "a.bmp"), ("RGB", "a.webp"), ("RGB", "a.tif"), ("RGB", "a.gif"), ("L", "a.png"),
        ("L", "a.jpg"), ("LA", "a.png"), ("RGBA", "a.png"), ("P", "a.png"), ("1", "a.png"), ("CMYK", "a.jpg"),
        ("CMYK", "a.tif"), ("YCbCr", "a.jpg"), ("I;16", "a.png"), ("F", "a.tif"), ("I", "a.tif"),
    ],
)  # fmt: skip
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str, name: str) -> None:
    image = Image.fromarray(COLOUR)
    grey = np.asarray(image.convert("L"))
    if mode in ("I;16", "F", "I"):
        values = {"I;16": grey.astype(np.uint16) * 257, "F": grey.astype(np.float32) / 255, "I": grey.astype(np.int32)}
        image = Image.fromarray(values[mode])
    else:
        image = image.convert(mode)
    picture = read_picture(saved(tmp_path, image, name))
    assert picture.rgb.shape == (20, 30, 3)
    assert picture.rgb.dtype == np.uint8
    assert (picture.opacity is not None) is (mode in ("LA", "RGBA"))
    if mode != "1":
        expected = grey[..., None] if mode in ("L", "LA", "I;16", "F", "I") else COLOUR
        assert np.abs(picture.rgb.astype(float) - expected).mean() < (20 if mode == "P" else 12)


def test_transparent_becomes_white(tmp_path: Path) -> None:
    rgba = np.dstack([COLOUR, np.zeros((20, 30), np.uint8)])
    picture = read_picture(saved(tmp_path, Image.fromarray(rgba)))
    assert picture.rgb.min() == 255
    assert picture.opacity is not None
    assert picture.opacity.max() == 0


def test_transparent_palette_colour(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "L").convert("P")
    picture = read_picture(saved(tmp_path, image, transparency=0))
    assert picture.opacity is not None
    assert picture.opacity.tolist() == [[0, 255]]


def test_exif_orientation_is_obeyed(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    path = saved(tmp_path, Image.fromarray(COLOUR), "turned.png", exif=exif)
    np.testing.assert_array_equal(read_picture(path).rgb, np.rot90(COLOUR, -1))


def test_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (5, 4), colour) for colour in ("red", "blue")]
    path = saved(tmp_path, frames[0], "a.gif", save_all=True, append_images=frames[1:])
    assert read_picture(path).rgb[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a.tif", "a.webp", "a.bmp"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_truncated_picture(tmp_path: Path, name: str, share: float) -> None:
    path = saved(tmp_path, Image.effect_noise((80, 80), 90).convert("RGB"), name)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(PictureError, match="picture"):
        read_picture(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0" + b"\0" * 50])
def test_not_a_picture(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(PictureError, match=r"not a picture|broken"):
        read_picture(tmp_path / "a.png")


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="no such file"):
        read_picture(tmp_path / "missing.png")
    with pytest.raises(PictureError, match="is a folder"):
        read_picture(tmp_path)


@pytest.mark.timeout(60)
def test_a_pipe_and_a_huge_file_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(PictureError, match=r"pipe.png: is not a regular file"):
        read_picture(tmp_path / "pipe.png")
    path = saved(tmp_path, Image.fromarray(COLOUR))
    monkeypatch.setattr("foundation.picture.PICTURE_BYTES", 10)
    with pytest.raises(PictureError, match="more than 10"):
        read_picture(path)


def test_too_many_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, Image.fromarray(COLOUR))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(PictureError, match="too many pixels"):
        read_picture(path)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0, 1, 255], np.int32), [0, 1, 255]),
        (np.array([0, 128, 129, 65535], np.uint16), [0, 0, 1, 255]),
        (np.array([0, 0.25, 1], np.float32), [0, 64, 255]),
        (np.array([0, 0.6, 300], np.float32), [0, 1, 255]),
        (np.array([np.nan, -1, 1.0]), [0, 0, 255]),
        (np.array([False, True]), [0, 1]),
        (np.array([], np.uint16), []),
    ],
)
def test_greys_of_any_depth(values: np.ndarray, expected: list[int]) -> None:
    assert eight_bits(values).tolist() == expected


def test_large_jpegs_are_decoded_small(tmp_path: Path) -> None:
    y, x = np.mgrid[:480, :960]
    image = Image.fromarray(np.stack([x / 4, y / 2, 0 * x + 90], 2).astype(np.uint8))
    path = saved(tmp_path, image, "a.jpg", quality=95)
    whole, small = read_picture(path).rgb, read_picture(path, at_least=(60, 60)).rgb
    assert (whole.shape, small.shape) == ((480, 960, 3), (120, 240, 3))
    both = [np.asarray(Image.fromarray(rgb).resize((60, 60)), int) for rgb in (whole, small)]
    assert np.abs(both[0] - both[1]).max() <= 4
