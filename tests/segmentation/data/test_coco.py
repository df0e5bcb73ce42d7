"""COCO: polygons and run lengths."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from foundation.errors import UserError
from segmentation.data.polygon import filled
from segmentation.data.registry import open_source
from segmentation.data.run_length import decoded
from tests.segmentation.data import drawn_sets
from tests.segmentation.data.drawn_sets import HEIGHT, WIDTH, coco_document, picture, rectangle, save, write_json

SIZE = (HEIGHT, WIDTH)
Document = dict[str, Any]


def runs(mask: npt.NDArray[np.bool_]) -> list[int]:
    """Run lengths column by column, the first of them outside."""
    flat = mask.T.reshape(-1)
    ends = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff([0, *ends, flat.size]).tolist()
    return [0, *lengths] if flat[0] else lengths


def compressed(counts: list[int]) -> str:
    """As ``rleToString`` of ``maskApi.c``."""
    text = ""
    for place, count in enumerate(counts):
        rest = count - counts[place - 2] if place > 2 else count
        while True:
            bits, rest = rest & 31, rest >> 5
            more = rest != (-1 if bits & 16 else 0)
            text += chr(48 + (bits | 32 * more))
            if not more:
                break
    return text


# Masks


@given(st.lists(st.booleans(), min_size=35, max_size=35))
def test_run_lengths_and_their_compressed_form(pixels: list[bool]) -> None:
    mask = np.array(pixels).reshape(5, 7)
    np.testing.assert_array_equal(decoded(runs(mask), 5, 7), mask)
    np.testing.assert_array_equal(decoded(compressed(runs(mask)), 5, 7), mask)


def test_long_run_lengths() -> None:
    counts = [100_000, 3, 600_000, 1, 299_996]
    assert decoded(compressed(counts), 1000, 1000).sum() == 4
    assert compressed([100_000, 3]) == "PeQ33"


@pytest.mark.parametrize("counts", [[5], [-1, 13], [13], "", "\x00", "PPPPPPPPP", "P", [2**40, 1], "o"])
def test_run_lengths_of_another_size_are_refused(counts: list[int] | str) -> None:
    with pytest.raises(ValueError, match=r"run lengths|within a number"):
        decoded(counts, 3, 4)


def test_polygons_take_the_pixels_whose_centres_they_hold() -> None:
    square = [(1.0, 2.0), (4.0, 2.0), (4.0, 5.0), (1.0, 5.0)]
    expected = np.zeros((7, 6), bool)
    expected[2:5, 1:4] = True
    np.testing.assert_array_equal(filled([square], 7, 6), expected)
    expected[3, 2] = False
    hole = [(2.0, 3.0), (3.0, 3.0), (3.0, 4.0), (2.0, 4.0)]
    np.testing.assert_array_equal(filled([square, hole], 7, 6), expected)
    triangle = filled([[(0.0, 0.0), (6.0, 0.0), (0.0, 6.0)]], 6, 6)
    np.testing.assert_array_equal(triangle, np.add.outer(np.arange(6), np.arange(6)) < 5)


@pytest.mark.parametrize("shift", [(-3.0, 0.0), (3.0, 0.0), (0.0, -3.0), (0.0, 3.0), (-100.0, -100.0)])
def test_polygons_may_leave_the_picture(shift: tuple[float, float]) -> None:
    x, y = shift
    square = [(x, y), (x + 6, y), (x + 6, y + 6), (x, y + 6)]
    expected = np.zeros((6, 6), bool)
    expected[max(0, int(y)) : max(0, 6 + int(y)), max(0, int(x)) : max(0, 6 + int(x))] = True
    np.testing.assert_array_equal(filled([square], 6, 6), expected)


# Data sets


def data_set(folder: Path, document: Document, *, count: int = 12) -> Path:
    """One file of annotations without a part, and its pictures."""
    for number in range(count):
        save(picture(number), folder / "images" / f"{number}.png")
    write_json(folder / "annotations" / "people.json", document)
    return folder


def names(count: int = 12) -> list[str]:
    return [f"{number}.png" for number in range(count)]


def masks(folder: Path) -> dict[str, npt.NDArray[np.int64]]:
    source = open_source(f"coco:{folder}", size=SIZE)
    parts = (source.train, source.validation, source.test)
    return {part.paths(index)[0].stem: part[index][1].numpy() for part in parts for index in range(len(part))}


def test_official_layout(tmp_path: Path) -> None:
    source = open_source(f"coco:{drawn_sets.coco(tmp_path)}", size=SIZE)
    assert [len(part) for part in (source.train, source.validation, source.test)] == [7, 1, 3]
    assert source.test.paths(0)[0].parent.name == "val2017"


def test_layout_with_annotations_beside_the_pictures(tmp_path: Path) -> None:
    number = 0
    for part, count in (("train", 5), ("valid", 2), ("test", 3)):
        for _ in range(count):
            save(picture(number), tmp_path / part / f"{number}.png")
            number += 1
        files = [path.name for path in sorted((tmp_path / part).iterdir())]
        write_json(tmp_path / part / "_annotations.coco.json", coco_document(files))
    source = open_source(f"coco:{tmp_path}", size=SIZE)
    assert [len(part) for part in (source.train, source.validation, source.test)] == [5, 2, 3]


def test_outlines_of_every_kind(tmp_path: Path) -> None:
    box = np.zeros(SIZE, bool)
    box[6:40, 4:20] = True
    second = np.zeros(SIZE, bool)
    second[10:14, 25:30] = True
    outlines = [
        [rectangle(4, 6, 20, 40)],
        {"size": list(SIZE), "counts": runs(box)},
        {"size": list(SIZE), "counts": compressed(runs(box))},
        [rectangle(4, 6, 20, 40), rectangle(25, 10, 30, 14), [1, 2, 3, 4]],
    ]
    found = masks(data_set(tmp_path, coco_document(names(), outlines)))
    assert len(found) == 12
    for number, expected in enumerate((box, box, box, box | second)):
        np.testing.assert_array_equal(found[str(number)], expected)


def test_crowds_have_no_label_and_persons_before_them_have(tmp_path: Path) -> None:
    document = coco_document(names())
    crowd = {"image_id": 7, "category_id": 1, "iscrowd": 1, "segmentation": [rectangle(0, 0, 10, 48)]}
    car = {"image_id": 7, "category_id": 3, "iscrowd": 0, "segmentation": [rectangle(0, 0, 36, 48)]}
    document["annotations"] += [crowd, car]
    expected = np.zeros(SIZE, int)
    expected[:, :10] = 255
    expected[6:40, 4:20] = 1
    np.testing.assert_array_equal(masks(data_set(tmp_path, document))["0"], expected)


def test_pictures_without_a_person_are_left_out(tmp_path: Path) -> None:
    document = coco_document(names())
    document["annotations"][3]["category_id"] = 3
    document["annotations"][4]["iscrowd"] = 1
    (data_set(tmp_path, document) / "images" / "5.png").unlink()
    assert set(masks(tmp_path)) == {str(number) for number in range(12)} - {"3", "4", "5"}
    notes = open_source(f"coco:{tmp_path}").notes
    assert any("1 left out" in note and "5.png" in note for note in notes)


def test_pictures_are_read_as_everywhere(tmp_path: Path) -> None:
    data_set(tmp_path, coco_document(names()))
    path = tmp_path / "images" / "2.png"
    Image.fromarray(picture(2)).convert("CMYK").save(path, "JPEG")
    assert set(masks(tmp_path)) == {str(number) for number in range(12)}
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture(2)).save(path, exif=exif)
    with pytest.raises(UserError, match="the photograph has the EXIF orientation 6"):
        open_source(f"coco:{tmp_path}")
    path.write_bytes(b"")
    assert set(masks(tmp_path)) == {str(number) for number in range(12)} - {"2"}
    path.write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"2\.png"):
        open_source(f"coco:{tmp_path}")


def test_where_no_picture_is_left_it_is_said_why(tmp_path: Path) -> None:
    data_set(tmp_path, coco_document(names()))
    (tmp_path / "images").rename(tmp_path / "pictures")
    with pytest.raises(UserError, match=r"got 0 for training, 0 for validation; 12 left out of .*missing or empty"):
        open_source(f"coco:{tmp_path}")


def _without(*keys: str) -> Callable[[Document], object]:
    return lambda document: [document.pop(key) for key in keys]


def _replaced(key: str, place: int, **values: object) -> Callable[[Document], object]:
    return lambda document: document[key][place].update(values)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (_without("images"), "no list images"),
        (_without("categories"), "no list categories"),
        (_replaced("categories", 1, name="dog"), "no category person but car, dog"),
        (_replaced("images", 2, height="many"), "images.2.height"),
        (_replaced("images", 2, width=2**40), "images.2.width"),
        (_replaced("images", 2, file_name="../../0.png"), "images.2: the file name"),
        (_replaced("images", 2, file_name="/etc/passwd"), "images.2: the file name"),
        (_replaced("annotations", 2, segmentation=[[1e300] * 6]), "annotations.2.segmentation"),
        (_replaced("annotations", 2, segmentation={"size": [1, 1], "counts": [-1]}), "annotations.2.segmentation"),
        (_replaced("annotations", 2, segmentation={"size": [1, 1], "counts": [1]}), "run lengths of 1 x 1 pixels"),
        (_replaced("annotations", 2, segmentation={"size": list(SIZE), "counts": [1]}), "do not add up"),
        (_replaced("images", 2, height=HEIGHT + 1), "size of mask of 2.png"),
        (_replaced("images", 2, height=WIDTH, width=HEIGHT), "orientation of mask of 2.png"),
    ],
)
def test_spoilt_annotations_are_refused_in_one_line(
    tmp_path: Path, spoil: Callable[[Document], object], expected: str
) -> None:
    document = coco_document(names())
    spoil(document)
    with pytest.raises(UserError) as caught:
        masks(data_set(tmp_path, document))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("content", [b"", b"[1, 2]", b"{", b"\xff", b"[" * 100_000, b'{"images": NaN}'])
def test_files_that_are_no_annotations(tmp_path: Path, content: bytes) -> None:
    data_set(tmp_path, {})
    (tmp_path / "annotations" / "people.json").write_bytes(content)
    with pytest.raises(UserError, match=r"annotations .*people\.json: got"):
        open_source(f"coco:{tmp_path}")


def test_a_folder_without_annotations_is_named(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "gone"):
        with pytest.raises(UserError, match=f"in {tmp_path};|no {folder};"):
            open_source(f"coco:{folder}")


def test_the_fingerprint_follows_the_outlines(tmp_path: Path) -> None:
    data_set(tmp_path, coco_document(names()))
    before = open_source(f"coco:{tmp_path}").fingerprint
    document = json.loads((tmp_path / "annotations" / "people.json").read_text())
    document["annotations"][0]["segmentation"][0][0] += 1
    write_json(tmp_path / "annotations" / "people.json", document)
    assert open_source(f"coco:{tmp_path}").fingerprint != before
