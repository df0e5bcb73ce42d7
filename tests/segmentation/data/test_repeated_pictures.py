"""A photograph that is trained on is not used for validation under another name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from segmentation.data.folder_pairs import FolderPairs
from segmentation.data.registry import open_source
from segmentation.data.repeated_pictures import without_repeats
from segmentation.data.source import PairDataset
from tests.segmentation.data.drawn_pairs import SIZE, drawn, folder_of, grey

COUNT = 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folder_of(tmp_path / "photos", grey(background=0, person=255), count=COUNT)


def again(folder: Path, number: int, ending: str) -> None:
    """Pair ``pN`` once more, as ``qN``."""
    options = {"quality": 95} if ending == "jpg" else {}
    Image.fromarray(drawn(number)[0]).save(folder / "images" / f"q{number}.{ending}", **options)
    shutil.copy(folder / "masks" / f"p{number}.png", folder / "masks" / f"q{number}.png")


def stems(part: PairDataset) -> set[str]:
    assert isinstance(part, FolderPairs)
    return {image.stem[1:] for image, _ in part.files}


@pytest.mark.parametrize("ending", ["png", "bmp", "jpg"])
def test_no_photograph_is_in_training_and_in_validation(folder: Path, ending: str) -> None:
    for number in range(COUNT):
        again(folder, number, ending)
    source = open_source(f"folder:{folder}", size=SIZE)
    assert not stems(source.train) & stems(source.validation)
    assert (len(source.train), len(source.validation)) == (16, 4)
    start = "20 left out, since they are the same photographs under other names: "
    assert source.notes[-1].startswith(start)
    assert source.notes[-1].endswith(" and 17 more")
    older = open_source(f"folder:{folder}", size=SIZE, hold_out_test=False)
    assert (len(older.train), len(older.validation)) == (32, 8)


def test_no_photograph_of_the_test_part_is_trained_on(folder: Path) -> None:
    for number in range(COUNT, 60):
        Image.fromarray(drawn(number)[0]).save(folder / "images" / f"p{number}.png")
        shutil.copy(folder / "masks" / f"p{number % COUNT}.png", folder / "masks" / f"p{number}.png")
    test = stems(open_source(f"folder:{folder}", size=SIZE).test)
    assert test
    for number in map(int, test):
        again(folder, number, "png")
    source = open_source(f"folder:{folder}", size=SIZE)
    assert stems(source.test) >= test
    assert not stems(source.test) & (stems(source.train) | stems(source.validation))


def test_different_photographs_with_one_mask_all_count(folder: Path) -> None:
    for number in range(1, COUNT):
        shutil.copy(folder / "masks" / "p0.png", folder / "masks" / f"p{number}.png")
    source = open_source(f"folder:{folder}", size=SIZE)
    assert (len(source.train), len(source.validation)) == (16, 4)


def test_where_nothing_else_is_left_it_is_said(folder: Path) -> None:
    for number in range(1, COUNT):
        shutil.copy(folder / "images" / "p0.png", folder / "images" / f"p{number}.png")
    source = open_source(f"folder:{folder}", size=SIZE)
    assert (len(source.train), len(source.validation)) == (16, 4)
    assert source.notes[-1].startswith("all photographs are the same, so scores say nothing: ")


def test_a_photograph_that_cannot_be_read_is_left_to_those_who_read_it(folder: Path) -> None:
    again(folder, 2, "jpg")
    path = folder / "images" / "q2.jpg"
    path.write_bytes(path.read_bytes()[:200])
    pair, other = (path, folder / "masks" / "q2.png"), (folder / "images" / "p2.png", folder / "masks" / "p2.png")
    assert without_repeats([pair], [other]) == ([pair], [])
