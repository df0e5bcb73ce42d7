"""Projects of Supervisely: bitmaps and polygons."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from foundation.errors import UserError
from segmentation.data.registry import open_source
from tests.segmentation.data import drawn_sets
from tests.segmentation.data.drawn_sets import (
    HEIGHT,
    SUPERVISELY_META,
    WIDTH,
    bitmap,
    supervisely_document,
    supervisely_object,
    write_json,
)

SIZE = (HEIGHT, WIDTH)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return drawn_sets.supervisely(tmp_path)


def annotate(project: Path, *objects: dict[str, Any]) -> None:
    """Replaces the annotation of the first test picture."""
    write_json(project / "test" / "ann" / "10.jpg.json", supervisely_document(*objects))


def mask(project: Path) -> npt.NDArray[np.int64]:
    """Of the first test picture."""
    found: npt.NDArray[np.int64] = open_source(f"supervisely:{project}", size=SIZE).test[0][1].numpy()
    return found


def error(project: Path) -> str:
    with pytest.raises(UserError) as caught:
        mask(project)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def polygon(title: str, *exterior: tuple[float, float], **more: Any) -> dict[str, Any]:
    points = {"exterior": [list(corner) for corner in exterior], "interior": more.pop("interior", [])}
    return supervisely_object(title, points=points, **more)


SQUARE = ((4, 6), (20, 6), (20, 40), (4, 40))


def test_folders_are_parts(project: Path) -> None:
    source = open_source(f"supervisely:{project}", size=SIZE)
    assert [len(part) for part in (source.train, source.validation, source.test)] == [7, 1, 3]
    assert source.classes == ("background", "person")
    (project / "test").rename(project / "ds2")
    source = open_source(f"supervisely:{project}", size=SIZE)
    assert [len(part) for part in (source.train, source.validation, source.test)] == [10, 1, 0]


def test_bitmaps_and_polygons(project: Path) -> None:
    pixels = np.eye(10, dtype=bool)
    expected = np.zeros(SIZE, int)
    expected[8:18, 5:15] = pixels
    annotate(project, supervisely_object("person_bmp", bitmap=bitmap(pixels, (5, 8))))
    np.testing.assert_array_equal(mask(project), expected)
    expected[:] = 0
    expected[6:40, 4:20] = 1
    expected[10:20, 8:12] = 0
    hole = [[8, 10], [12, 10], [12, 20], [8, 20]]
    annotate(project, polygon("person_poly", *SQUARE, interior=[hole], geometryType="polygon"))
    np.testing.assert_array_equal(mask(project), expected)


def test_bitmaps_without_transparency(project: Path) -> None:
    one = bitmap(np.eye(10, dtype=bool), (0, 0))
    image = Image.fromarray(np.eye(10, dtype=np.uint8) * 255)
    image.save(project / "bitmap.png")
    one["data"] = base64.b64encode(zlib.compress((project / "bitmap.png").read_bytes())).decode()
    annotate(project, supervisely_object("person_bmp", bitmap=one))
    np.testing.assert_array_equal(mask(project)[:10, :10], np.eye(10))


def test_later_objects_cover_earlier_ones_and_neutral_has_no_label(project: Path) -> None:
    annotate(project, polygon("person_poly", *SQUARE), polygon("neutral", (4, 6), (20, 6), (20, 10), (4, 10)))
    expected = np.zeros(SIZE, int)
    expected[6:40, 4:20] = 1
    expected[6:10, 4:20] = 255
    np.testing.assert_array_equal(mask(project), expected)


def test_what_has_no_area_is_ignored(project: Path) -> None:
    annotate(project, polygon("face", (0, 0), (30, 40), geometryType="rectangle"), polygon("person_poly", (1, 1)))
    assert not mask(project).any()


def test_other_classes(project: Path) -> None:
    names = [("left arm", "polygon"), ("right arm", "polygon"), ("road", "line")]
    classes = [{"title": title, "shape": shape} for title, shape in names]
    write_json(project / "meta.json", SUPERVISELY_META | {"classes": [*SUPERVISELY_META["classes"], *classes]})
    for path in project.glob("*/ann/*.json"):
        objects = [polygon(title, *((x, y + 10 * row) for x, y in SQUARE)) for row, (title, _) in enumerate(names[:2])]
        write_json(path, supervisely_document(polygon("person_poly", (0, 0), (36, 0), (36, 6), (0, 6)), *objects))
    source = open_source(f"supervisely:{project}", size=SIZE)
    assert source.classes == ("background", "person", "left arm", "right arm")
    assert source.flip_swaps == ((2, 3),)
    assert source.train[0][1][[2, 8, 38], 10].tolist() == [1, 2, 3]


def test_older_names_of_annotations_and_missing_files(project: Path) -> None:
    (project / "train" / "ann" / "0.jpg.json").rename(project / "train" / "ann" / "0.json")
    (project / "train" / "ann" / "1.jpg.json").unlink()
    (project / "train" / "img" / "2.jpg").unlink()
    source = open_source(f"supervisely:{project}", size=SIZE)
    assert len(source.train) + len(source.validation) == 6
    assert source.without_mask == 1
    assert any("1 left out" in note and "1.jpg" in note for note in source.notes)
    assert any("1 left out" in note and "2.jpg" in note for note in source.notes)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("?", "a bitmap that cannot be read"),
        (base64.b64encode(b"no zlib").decode(), "a bitmap that cannot be read"),
        (base64.b64encode(zlib.compress(b"no PNG")).decode(), "a bitmap that cannot be read"),
        (base64.b64encode(zlib.compress(bytes(2**27))).decode(), "more than 67,108,864 bytes"),
        (bitmap(np.ones((HEIGHT, WIDTH), bool), (0, 0))["data"], "which leave the picture"),
    ],
)
def test_spoilt_bitmaps(project: Path, data: str, expected: str) -> None:
    annotate(project, supervisely_object("person_bmp", bitmap={"data": data, "origin": [1, 0]}))
    assert expected in error(project)
    assert "10.jpg.json" in error(project)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, "size: Field required"),
        ([], "valid"),
        (supervisely_document(supervisely_object("dog")), "the class 'dog', which meta.json does not have"),
        (supervisely_document(polygon("person_poly", (1e9, 0), (1, 1), (2, 2))), "objects.0.points.exterior.0.0"),
        (supervisely_document(height=HEIGHT + 1), "size of mask"),
        (supervisely_document(height=WIDTH, width=HEIGHT), "orientation of mask"),
        (supervisely_document(height=0), "size.height"),
    ],
)
def test_spoilt_annotations(project: Path, document: object, expected: str) -> None:
    write_json(project / "test" / "ann" / "10.jpg.json", document)
    assert expected in error(project)


def test_spoilt_projects(project: Path) -> None:
    write_json(project / "meta.json", {"classes": [{"title": "neutral"}]})
    assert "0 classes with an area" in error(project)
    (project / "meta.json").write_bytes(b"{")
    assert "meta.json" in error(project)
    (project / "meta.json").unlink()
    assert f"no {project / 'meta.json'}" in error(project)
    write_json(project / "meta.json", SUPERVISELY_META)
    for part in ("train", "test"):
        (project / part / "ann").rename(project / part / "other")
    assert "no folder with ann and img" in error(project)
