"""CelebAMask-HQ as it is published."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foundation.errors import UserError
from segmentation.data.registry import open_source
from segmentation.data.source import PairDataset
from tests.segmentation.data import drawn_sets

SIZE = (38, 38)


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    return drawn_sets.celebamask(tmp_path)


def masks(folder: Path, number: int) -> Path:
    return folder / "CelebAMask-HQ-mask-anno" / str(number // 5)


def names(part: PairDataset) -> list[int]:
    return [int(part.paths(index)[0].stem) for index in range(len(part))]


def error(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        open_source(f"celebamask:{folder}", size=SIZE).train[0]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_parts_are_those_of_celeba(faces: Path) -> None:
    source = open_source(f"celebamask:{faces}", size=SIZE)
    assert [names(part) for part in (source.train, source.validation, source.test)] == [[*range(9)], [9, 10], [11, 12]]
    drawn_sets.write_lines(faces / "list_eval_partition.txt", ["000001.jpg 2", "000002.jpg 1", "202599.jpg 0"])
    source = open_source(f"celebamask:{faces}", size=SIZE)
    assert (names(source.train)[-1], names(source.validation)[0], names(source.test)[0]) == (12, 1, 0)


def test_masks_are_laid_over_each_other_in_the_official_order(faces: Path) -> None:
    full = np.full((38, 38), 255, np.uint8)
    for part in ("hair", "skin", "l_eye"):  # hair, class 13, is the last of them
        drawn_sets.save(full, masks(faces, 0) / f"00000_{part}.png")
    mask = open_source(f"celebamask:{faces}", size=SIZE).train[0][1]
    bands = drawn_sets.bands(19, 38, 38)
    np.testing.assert_array_equal(mask.numpy(), np.where(bands < 13, 13, bands))


def test_left_and_right_change_places(faces: Path) -> None:
    assert open_source(f"celebamask:{faces}").flip_swaps == ((4, 5), (6, 7), (8, 9))
    assert open_source(f"celebamask:{faces}?person").flip_swaps == ()


def test_person_is_every_class_but_the_background(faces: Path) -> None:
    mask = open_source(f"celebamask:{faces}?person", size=SIZE).train[0][1]
    np.testing.assert_array_equal(mask.numpy(), drawn_sets.bands(19, 38, 38) > 0)


@pytest.mark.parametrize("mode", ["L", "1", "P", "I;16"])
def test_part_masks_of_every_mode(faces: Path, mode: str) -> None:
    for path in masks(faces, 0).glob("00000_*.png"):
        grey = Image.open(path).convert("L")
        deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
        (deep if mode == "I;16" else grey.convert(mode)).save(path)
    mask = open_source(f"celebamask:{faces}", size=SIZE).train[0][1]
    np.testing.assert_array_equal(mask.numpy(), drawn_sets.bands(19, 38, 38))


def test_what_is_missing_is_counted(faces: Path) -> None:
    (faces / "CelebA-HQ-img" / "0.jpg").unlink()
    (faces / "CelebA-HQ-img" / "1.jpg").write_bytes(b"")
    for path in masks(faces, 2).glob("00002_*.png"):
        path.unlink()
    source = open_source(f"celebamask:{faces}", size=SIZE)
    assert names(source.train) == [*range(3, 9)]
    assert source.without_mask == 1
    assert any("2 left out" in note and "0.jpg, 1.jpg" in note for note in source.notes)
    assert any("1 left out" in note and "2.jpg" in note for note in source.notes)


def test_a_picture_of_the_test_part_is_not_trained_on(faces: Path) -> None:
    shutil.copy(faces / "CelebA-HQ-img" / "11.jpg", faces / "CelebA-HQ-img" / "3.jpg")
    source = open_source(f"celebamask:{faces}", size=SIZE)
    assert names(source.train) == [0, 1, 2, *range(4, 9)]
    assert names(source.test) == [11, 12]
    assert any("the same picture" in note and "3.jpg" in note for note in source.notes)


def test_spoilt_files_are_named(faces: Path) -> None:
    skin = masks(faces, 0) / "00000_skin.png"
    Image.new("L", (19, 19)).save(masks(faces, 0) / "00000_nose.png")
    assert "00000_nose.png: got 19 x 19 pixels; expected 38 x 38" in error(faces)
    skin.write_bytes(skin.read_bytes()[:40])
    assert "00000_skin.png" in error(faces)
    Image.new("L", (19, 38)).save(skin)
    assert "orientation" not in error(faces)
    Image.fromarray(drawn_sets.picture(0, 76, 152)).save(faces / "CelebA-HQ-img" / "0.jpg")
    Image.new("L", (38, 76)).save(skin)
    assert "height and width" in error(faces)


@pytest.mark.parametrize(
    ("name", "line", "expected"),
    [
        ("CelebA-HQ-to-CelebA-mapping.txt", "1 2", "got '1 2'"),
        ("CelebA-HQ-to-CelebA-mapping.txt", "1 2 ../../etc/passwd", "expected a number"),
        ("list_eval_partition.txt", "000001.jpg 3", "0, 1 or 2"),
    ],
)
def test_spoilt_lists_are_named(faces: Path, name: str, line: str, expected: str) -> None:
    drawn_sets.write_lines(faces / name, [line])
    assert expected in error(faces)


def test_a_missing_list_is_named(faces: Path) -> None:
    (faces / "CelebA-HQ-to-CelebA-mapping.txt").unlink()
    assert "no " in error(faces)
    assert "CelebA-HQ-to-CelebA-mapping.txt" in error(faces)
