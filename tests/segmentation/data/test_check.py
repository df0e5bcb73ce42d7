"""What can be said of a data source before it is used."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segmentation.data.check import DataCheck, check_data
from segmentation.data.source import DataOptions
from tests.segmentation.data import drawn_sets
from tests.segmentation.data.drawn_pairs import HEIGHT, SIZE, WIDTH, drawn, folder_of, grey


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folder_of(tmp_path / "photos", grey(background=0, person=1, contour=255), count=10)


def check(text: str, size: tuple[int, int] = SIZE) -> DataCheck:
    return check_data(text, DataOptions(size=size))


def test_counts_of_a_good_folder(folder: Path) -> None:
    found = check(f"folder:{folder}")
    assert found.usable
    assert found.to_json()["parts"]["train"]["sizes"] == [SIZE]
    assert {name: part.pairs for name, part in found.parts.items()} == {"train": 8, "validation": 2, "test": 0}
    masks = [drawn(number)[1] for number in range(10)]
    for value, label in ((0, "background"), (1, "person"), (255, "no label")):
        expected = sum(int((mask == value).sum()) for mask in masks)
        assert sum(part.pixels[label] for part in found.parts.values()) == expected
    assert found.remarks == ("test: no pairs, so nothing is left for a final score",)


def test_every_mask_of_another_size_is_listed(folder: Path) -> None:
    for number in (1, 4):
        path = folder / "masks" / f"p{number}.png"
        Image.open(path).resize((WIDTH * 2, HEIGHT), Image.Resampling.NEAREST).save(path)
    found = check(f"folder:{folder}")
    assert not found.usable
    assert len(found.faults) == 2
    assert all(f"has {WIDTH * 2} x {HEIGHT} pixels, its picture {WIDTH} x {HEIGHT}" in line for line in found.faults)
    assert sum(part.size_mismatches for part in found.parts.values()) == 2
    resized = check(f"folder:{folder}?resize-masks")
    assert resized.usable
    assert "2 masks of another size are resized, such as" in resized.remarks[0]


def test_every_picture_that_cannot_be_read_is_listed(folder: Path) -> None:
    for number in (1, 4):
        path = folder / "images" / f"p{number}.png"
        Image.open(path).save(path.with_suffix(".jpg"))
        path.unlink()
        path.with_suffix(".jpg").write_bytes(path.with_suffix(".jpg").read_bytes()[:-300])
    found = check(f"folder:{folder}")
    assert not found.usable
    assert not found.readable
    assert sum(part.unreadable for part in found.parts.values()) == 2
    assert all("broken or truncated" in line for line in found.faults)


def test_pictures_that_cannot_even_be_opened_are_counted(folder: Path) -> None:
    for number in (1, 4, 7):
        (folder / "images" / f"p{number}.png").write_bytes(b"")
    (line,) = check(f"folder:{folder}").faults
    assert "p1.png" in line
    assert "and 2 more files that cannot be read" in line


def test_an_absent_class_is_a_fault_where_it_is_learned(tmp_path: Path) -> None:
    folder = drawn_sets.helen(tmp_path)
    for path in (folder / "labels").glob("*/*_lbl10.png"):
        drawn_sets.save(np.zeros((HEIGHT, WIDTH), np.uint8), path)
    found = check(f"helen:{folder}")
    assert found.faults == ("train: no pixel of hair", "validation: no pixel of hair")
    assert found.remarks == ("test: no pixel of hair",)


def test_the_same_picture_in_two_parts(tmp_path: Path) -> None:
    numbers = np.arange(HEIGHT * WIDTH, dtype=np.int64).reshape(SIZE) % 19
    folder = folder_of(tmp_path, lambda _, path: Image.fromarray(numbers.astype(np.uint8)).save(path), count=10)
    shutil.copy(folder / "images" / "p0.png", folder / "images" / "p9.png")
    found = check(f"celebamask:{folder}")
    assert found.usable
    (line,) = [line for line in found.remarks if "same picture" in line]
    assert line.endswith(f"train {folder / 'images' / 'p0.png'}, test {folder / 'images' / 'p9.png'}")


def test_what_cannot_be_opened(folder: Path) -> None:
    for name in ("p1", "p2", "p3"):
        (folder / "masks" / f"{name}.png").unlink()
    found = check(f"folder:{folder}")
    assert not found.usable
    assert found.source is None
    assert "p1.png without a mask, and 2 more images without one" in found.faults[0]
    assert found.to_json()["problems"] == list(found.faults)


def test_pictures_without_masks_are_counted(tmp_path: Path) -> None:
    folder = drawn_sets.eg1800(tmp_path)
    (folder / "Labels" / "00003.png").unlink()
    document = check(f"eg1800:{folder}").to_json()
    assert document["pictures_without_mask"] == 1
    assert document["usable"]


def test_the_document_names_classes_that_change_places(tmp_path: Path) -> None:
    document = check(f"helen:{drawn_sets.helen(tmp_path)}").to_json()
    assert document["flip_swaps"] == [["l_brow", "r_brow"], ["l_eye", "r_eye"]]
    assert document["size"] == list(SIZE)


def test_pairs_are_not_kept_in_memory(folder: Path) -> None:
    found = check(f"folder:{folder}")
    assert found.source is not None
    assert not found.source.train._kept
