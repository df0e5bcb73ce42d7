"""The first look shows pairs of any data source as they are read."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foundation.class_colours import COLOURS, painted
from segmentation.data.contact_sheet import class_shares, contact_sheet
from segmentation.data.registry import open_source
from segmentation.data.source import DataSource
from tests.segmentation.blobs import blob_source
from tests.segmentation.data.drawn_pairs import SIZE, Array, folder_of, grey

UNLABELLED = COLOURS[255].tolist()


def pixels(source: DataSource, **settings: bool) -> Array:
    return np.asarray(Image.open(io.BytesIO(contact_sheet(source, **settings))).convert("RGB"))


def count(sheet: Array, colour: list[int]) -> int:
    return int((sheet == colour).all(2).sum())


@pytest.fixture(params=["synthetic", "folder", "celebamask", "plug-in"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> DataSource:
    def all_faces(mask: Array, path: Path) -> None:
        Image.fromarray((np.arange(mask.size).reshape(mask.shape) // 40 % 19).astype(np.uint8)).save(path)

    if request.param == "synthetic":
        return open_source("synthetic:8", size=(64, 64))
    if request.param == "plug-in":
        return blob_source()
    if request.param == "celebamask":
        return open_source(f"celebamask:{folder_of(tmp_path, all_faces, count=10)}", size=SIZE)
    return open_source(f"folder:{folder_of(tmp_path, grey(background=0, person=1, contour=255))}", size=SIZE)


def test_every_source_has_a_first_look(source: DataSource) -> None:
    sheet = pixels(source)
    height = min(5, len(source.train)) * (190 + 12)
    assert height < sheet.shape[0] < height + 60
    assert sheet.shape[1] > 250
    assert sheet.std() > 10


def test_photographs_can_be_left_out(source: DataSource) -> None:
    sheet = pixels(source, photographs=False)
    assert sheet.shape[1] < pixels(source).shape[1]
    for label in range(1, min(len(source.classes), 3)):
        assert count(sheet, COLOURS[label].tolist()) > 100


def test_pixels_without_label_have_a_colour_of_their_own(tmp_path: Path) -> None:
    for contour in (255, 1):
        folder = folder_of(tmp_path / str(contour), grey(background=0, person=1, contour=contour))
        sheet = pixels(open_source(f"folder:{folder}", size=SIZE), photographs=False)
        assert (count(sheet, UNLABELLED) > 0) == (contour == 255)


def test_shares_of_a_mask() -> None:
    mask = np.array([[0, 0, 1, 255]], np.uint8)
    assert class_shares(mask, ("sky", "sea", "sand")) == [(0, "sky", 0.5), (1, "sea", 0.25), (255, "no label", 0.25)]


def test_colours_differ_and_255_is_not_that_of_a_class() -> None:
    assert len(np.unique(COLOURS, axis=0)) == 256
    assert painted(np.array([[255, 1]]))[0].tolist() == [UNLABELLED, COLOURS[1].tolist()]
