"""Which files of a folder make pairs; what is left out is counted and named."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from foundation.errors import UserError
from segmentation.data.class_names import class_names
from segmentation.data.pair_files import find_pairs
from segmentation.data.registry import open_source
from tests.segmentation.data.drawn_pairs import HEIGHT, SIZE, WIDTH, Array, drawn, folder_of, grey, person

WHITE_PERSON = grey(background=0, person=255)
NAMES = ("background", "person", "hair")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folder_of(tmp_path / "photos", WHITE_PERSON)


def error(folder: Path, options: str = "") -> str:
    with pytest.raises(UserError) as caught:
        open_source(f"folder:{folder}{options}", size=SIZE)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Endings


@pytest.mark.parametrize("ending", ["jfif", "jpe", "ppm", "gif", "tga", "JPG", "avif"])
def test_every_picture_that_pillow_reads_is_used(folder: Path, ending: str) -> None:
    if ending == "avif" and not features.check("avif"):
        pytest.skip("Pillow without AVIF")
    form = {"jfif": "JPEG", "jpe": "JPEG"}.get(ending)
    Image.fromarray(drawn(2)[0]).save(folder / "images" / f"p2.{ending}", form)
    (folder / "images" / "p2.png").unlink()
    found = find_pairs(folder)
    assert len(found.pairs) == 6
    assert found.notes == ()


def test_what_is_in_a_picture_counts_not_its_ending(folder: Path) -> None:
    (folder / "images" / "p2.png").rename(folder / "images" / "p2.heic")
    assert len(find_pairs(folder).pairs) == 6


def test_what_cannot_be_read_is_counted_and_named(folder: Path) -> None:
    (folder / "images" / "p2.png").unlink()
    (folder / "images" / "p2.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    (folder / "images" / "notes.txt").write_text("by me")
    (folder / "images" / "more").mkdir()
    os.mkfifo(folder / "images" / "pipe.png")
    notes = open_source(f"folder:{folder}", size=SIZE).notes
    assert any("4 left out" in note and "more, notes.txt, p2.heic and 1 more" in note for note in notes)
    assert any("1 left out" in note and "masks without an image" in note and "p2.png" in note for note in notes)


def test_an_unreadable_mask_is_named(folder: Path) -> None:
    (folder / "masks" / "p2.png").unlink()
    (folder / "masks" / "p2.npy").write_bytes(b"\x93NUMPY")
    assert "p2.png without a mask (p2.npy cannot be read)" in error(folder)


def test_side_by_side_with_other_endings(tmp_path: Path) -> None:
    for number in range(4):
        picture, mask = drawn(number)
        Image.fromarray(picture).save(tmp_path / f"p{number}.jfif", "JPEG")
        WHITE_PERSON(mask, tmp_path / f"p{number}.png")
    (tmp_path / "classes.txt").write_text("background\nperson\n")
    found = find_pairs(tmp_path)
    assert [image.suffix for image, _ in found.pairs] == [".jfif"] * 4
    assert found.notes == ()


# One photograph twice


@pytest.mark.parametrize(("first", "second"), [("p2.jpg", "p2.png"), ("p2.png", "p2.ppm"), ("p2.JPG", "p2.png")])
def test_two_images_for_one_mask_are_refused(folder: Path, first: str, second: str) -> None:
    for name in (first, second):
        Image.fromarray(drawn(2)[0]).save(folder / "images" / name)
    assert f"two images {first} and {second}" in error(folder)


def test_two_masks_for_one_image_are_refused(folder: Path) -> None:
    shutil.copy(folder / "masks" / "p2.png", folder / "masks" / "p2_mask.png")
    assert "two masks p2.png and p2_mask.png" in error(folder)


def test_two_images_side_by_side_are_refused(tmp_path: Path) -> None:
    for number in range(4):
        picture, mask = drawn(number)
        for ending in ("jpg", "png"):
            Image.fromarray(picture).save(tmp_path / f"p{number}.{ending}")
        WHITE_PERSON(mask, tmp_path / f"p{number}_mask.png")
    assert "two images p0.jpg and p0.png" in error(tmp_path)


# classes.txt


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig/r", "utf-16/r"]
)
def test_class_names_of_every_editor(tmp_path: Path, encoding: str) -> None:
    encoding, _, end = encoding.partition("/")
    (tmp_path / "Classes.TXT").write_bytes(("\r\n" if not end else "\r").join((*NAMES, "")).encode(encoding))
    assert class_names(tmp_path) == NAMES


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("straße".encode("latin-1"), "not UTF-8"),
        ("ab".encode("utf-16") + b"x", "not UTF-16"),
        (b"a\x07\nb\n", "printable"),
        (b"", "0 names"),
    ],
)
def test_class_names_that_cannot_be_read(folder: Path, content: bytes, expected: str) -> None:
    (folder / "classes.txt").write_bytes(content)
    assert expected in error(folder)


@pytest.mark.timeout(60)
def test_class_names_are_a_regular_file(folder: Path) -> None:
    os.mkfifo(folder / "classes.txt")
    assert "not a regular file" in error(folder)


# Paths


@pytest.mark.parametrize("kind", ["folder", "celebamask"])
def test_relative_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    numbers = np.arange(HEIGHT * WIDTH).reshape(SIZE) % (19 if kind == "celebamask" else 2)

    def save(_: Array, path: Path) -> None:
        Image.fromarray(numbers.astype(np.uint8)).save(path)

    folder_of(tmp_path / "photos", save, count=10)
    monkeypatch.chdir(tmp_path)
    name = open_source(f"{kind}:photos?resize-masks", size=SIZE).name
    assert name == f"{kind}:{tmp_path / 'photos'}?resize-masks"
    monkeypatch.chdir("/")
    assert open_source(name, size=SIZE).name == name


# Orientation


def _turned(path: Path, orientation: int) -> None:
    """Saves the picture so that it is the same again when its orientation is obeyed."""
    back = {6: Image.Transpose.ROTATE_90, 3: Image.Transpose.ROTATE_180, 8: Image.Transpose.ROTATE_270}
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.open(path).transpose(back[orientation]).save(path, exif=exif)


@pytest.mark.parametrize("orientation", [3, 6, 8])
@pytest.mark.parametrize("parts", [("images", "masks"), ("masks",), ("images",)])
def test_every_file_is_turned_by_its_own_orientation(folder: Path, orientation: int, parts: tuple[str, ...]) -> None:
    for part in parts:
        for number in range(6):
            _turned(folder / part / f"p{number}.png", orientation)
    source = open_source(f"folder:{folder}", size=SIZE)
    for index, (image, _) in enumerate(source.train.files):  # type: ignore[attr-defined]
        picture, mask = drawn(int(image.stem[1:]))
        np.testing.assert_array_equal((255 * source.train[index][0]).round().numpy().transpose(1, 2, 0), picture)
        np.testing.assert_array_equal(source.train[index][1].numpy(), person(mask))
    assert any("taken as upright" in note for note in source.notes) == (orientation == 3 and parts == ("images",))


@pytest.mark.parametrize("options", ["", "?resize-masks"])
@pytest.mark.parametrize(("turned", "other"), [("images", "photograph"), ("masks", "mask")])
@pytest.mark.parametrize("scale", [1, 2])
def test_exchanged_height_and_width_name_the_orientation(
    folder: Path, options: str, turned: str, other: str, scale: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = folder / turned / "p3.png"
    picture = Image.open(path)
    picture.resize((picture.width * scale, picture.height * scale)).save(path, exif=exif)
    message = error(folder, options)
    assert f"the {other} has the EXIF orientation 6" in message
    assert "resize" not in message


# What was there before


def test_a_copied_folder_has_the_same_pairs(folder: Path, tmp_path: Path) -> None:
    before = open_source(f"folder:{folder}", size=SIZE).fingerprint
    assert open_source(f"folder:{shutil.copytree(folder, tmp_path / 'copy')}", size=SIZE).fingerprint == before
