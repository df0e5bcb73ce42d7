"""EG1800, HELEN and Pascal VOC: lists name the pictures of the parts."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foundation.errors import UserError
from segmentation.data.registry import open_source
from segmentation.data.source import DataSource, PairDataset
from tests.segmentation.data import drawn_sets

SIZE = (drawn_sets.HEIGHT, drawn_sets.WIDTH)


def parts(source: DataSource) -> tuple[PairDataset, PairDataset, PairDataset]:
    return source.train, source.validation, source.test


def names(part: PairDataset) -> list[str]:
    return [part.paths(index)[0].stem for index in range(len(part))]


def error(text: str) -> str:
    with pytest.raises(UserError) as caught:
        open_source(text, size=SIZE).train[0]
    assert "\n" not in str(caught.value)
    return str(caught.value)


# EG1800


@pytest.fixture
def portraits(tmp_path: Path) -> Path:
    return drawn_sets.eg1800(tmp_path, train=20)


def test_eg1800_has_the_listed_test_part(portraits: Path) -> None:
    source = open_source(f"eg1800:{portraits}", size=SIZE)
    assert [len(part) for part in parts(source)] == [18, 2, 3]
    assert names(source.test) == ["00020", "00021", "00022"]
    assert names(open_source(f"eg1800:{portraits}", seed=5).validation) == names(source.validation)
    np.testing.assert_array_equal(source.test[0][1].numpy(), drawn_sets.bands(2))


def test_eg1800_leaves_out_what_cannot_be_downloaded(portraits: Path) -> None:
    (portraits / "Images" / "00000.png").unlink()
    (portraits / "Images" / "00001.png").write_bytes(b"")
    (portraits / "Images" / "00002.png").unlink()
    (portraits / "Images" / "00002.png").symlink_to(portraits / "gone.png")
    (portraits / "Labels" / "00021.png").unlink()
    source = open_source(f"eg1800:{portraits}", size=SIZE)
    assert sum(map(len, parts(source))) == 23 - 4
    assert source.without_mask == 1
    assert any("3 left out" in note and "00000.png, 00001.png, 00002.png" in note for note in source.notes)
    assert any("1 left out" in note and "00021.png" in note for note in source.notes)


def test_eg1800_pictures_are_jpegs_too(portraits: Path) -> None:
    for path in sorted((portraits / "Images").iterdir()):
        Image.open(path).save(path.with_suffix(".jpg"))
        path.unlink()
    for path in portraits.glob("*.txt"):
        path.write_text(path.read_text().replace(".png", ".jpg"))
    assert sum(map(len, parts(open_source(f"eg1800:{portraits}", size=SIZE)))) == 23


def test_no_picture_is_in_two_parts(portraits: Path) -> None:
    shutil.copy(portraits / "Images" / "00021.png", portraits / "Images" / "00004.png")
    source = open_source(f"eg1800:{portraits}", size=SIZE)
    assert "00004" not in names(source.train) + names(source.validation)
    assert "00021" in names(source.test)
    assert any("the same picture" in note and "00004.png" in note for note in source.notes)


def test_count_limits_every_part(portraits: Path) -> None:
    assert [len(part) for part in parts(open_source(f"eg1800:{portraits}", count=2))] == [1, 1, 2]
    some = open_source(f"eg1800:{portraits}", count=10)
    assert [len(part) for part in parts(some)] == [8, 2, 3]
    assert names(some.train) != names(open_source(f"eg1800:{portraits}").train)[:8], "spread over the list"


# HELEN


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    return drawn_sets.helen(tmp_path)


def test_helen_reads_the_three_lists(faces: Path) -> None:
    source = open_source(f"helen:{faces}", size=SIZE)
    assert [len(part) for part in parts(source)] == [5, 2, 3]
    assert len(source.classes) == 11
    assert [(source.classes[a], source.classes[b]) for a, b in source.flip_swaps] == [
        ("l_brow", "r_brow"), ("l_eye", "r_eye"),
    ]  # fmt: skip


def test_helen_takes_the_highest_soft_mask(faces: Path) -> None:
    bands = drawn_sets.bands(11)
    np.testing.assert_array_equal(open_source(f"helen:{faces}", size=SIZE).train[0][1].numpy(), bands)
    label = faces / "labels" / "100_1"
    drawn_sets.save(np.full(SIZE, 139, np.uint8), label / "100_1_lbl10.png")
    drawn_sets.save(np.full(SIZE, 141, np.uint8), label / "100_1_lbl00.png")
    assert set(open_source(f"helen:{faces}", size=SIZE).train[0][1].unique().tolist()) == {0}


def test_helen_needs_every_mask(faces: Path) -> None:
    (faces / "labels" / "100_1" / "100_1_lbl07.png").unlink()
    source = open_source(f"helen:{faces}", size=SIZE)
    assert (len(source.train), source.without_mask) == (4, 1)
    drawn_sets.save(np.zeros((5, 5), np.uint8), faces / "labels" / "101_1" / "101_1_lbl07.png")
    assert "101_1_lbl07.png: got 5 x 5 pixels" in error(f"helen:{faces}")


def test_helen_masks_have_the_size_of_their_pictures(faces: Path) -> None:
    drawn_sets.save(drawn_sets.picture(0, 96, 71), faces / "images" / "100_1.jpg")
    assert "size of mask" in error(f"helen:{faces}")
    assert len(open_source(f"helen:{faces}?resize-masks").train) == 5


# Pascal VOC


@pytest.fixture
def objects(tmp_path: Path) -> Path:
    return drawn_sets.voc(tmp_path, test=2)


def test_voc_holds_out_the_published_validation_part(objects: Path) -> None:
    source = open_source(f"voc:{objects}", size=(63, 40))
    assert names(source.test) == ["2007_000008", "2007_000009", "2007_000010"]
    assert [len(part) for part in parts(source)] == [7, 1, 3]
    assert source.without_mask == 0
    mask = source.train[0][1]
    np.testing.assert_array_equal(mask[:, :-1].numpy(), drawn_sets.bands(21, 63, 39))
    assert (mask[:, -1] == 255).all()


def test_voc_with_masks_of_the_test_part(objects: Path) -> None:
    for number in (11, 12):
        shutil.copy(
            objects / "SegmentationClass" / "2007_000000.png", objects / "SegmentationClass" / f"2007_{number:06}.png"
        )
    source = open_source(f"voc:{objects}", size=(63, 40))
    assert [len(part) for part in parts(source)] == [8, 3, 2]


def test_voc_person(objects: Path) -> None:
    source = open_source(f"voc:{objects}?person", size=(63, 40))
    assert source.classes == ("background", "person")
    expected = (drawn_sets.bands(21, 63, 40) == 15).astype(np.uint8)
    expected[:, -1] = 255
    np.testing.assert_array_equal(source.train[0][1].numpy(), expected)


# All of them


@pytest.mark.parametrize(
    ("kind", "file"),
    [("eg1800", "eg1800_train.txt"), ("helen", "tuning.txt"), ("voc", "ImageSets/Segmentation/train.txt")],
)
def test_lists_are_text_files(tmp_path: Path, kind: str, file: str) -> None:
    folder = getattr(drawn_sets, kind)(tmp_path)
    (folder / file).write_bytes(b"\xff\xfe\x00")
    assert f"{file} (not UTF-8)" in error(f"{kind}:{folder}")
    (folder / file).unlink()
    assert f"no {folder / file}" in error(f"{kind}:{folder}")
    assert "no /nowhere" in error(f"{kind}:/nowhere")


@pytest.mark.parametrize(
    ("kind", "images", "masks"),
    [("eg1800", "Images", "Labels"), ("helen", "images", "labels"), ("voc", "JPEGImages", "SegmentationClass")],
)
def test_spoilt_pictures_are_named(tmp_path: Path, kind: str, images: str, masks: str) -> None:
    folder = getattr(drawn_sets, kind)(tmp_path)
    path = min((folder / images).iterdir())
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.open(path).copy()
    picture.save(path, exif=exif)
    assert "the photograph has the EXIF orientation 6" in error(f"{kind}:{folder}")
    picture.convert("CMYK").save(path, "JPEG")
    assert open_source(f"{kind}:{folder}", size=SIZE).train[0][0].shape == (3, *SIZE)
    path.write_bytes(b"no picture")
    assert path.name in error(f"{kind}:{folder}")
    Image.fromarray(np.asarray(picture)).save(path)
    mask = min((folder / masks).rglob("*.png"))
    mask.write_bytes(mask.read_bytes()[:60])
    assert mask.name in error(f"{kind}:{folder}")


@pytest.mark.parametrize(("kind", "masks"), [("eg1800", "Labels"), ("helen", "labels")])
def test_masks_of_16_bits(tmp_path: Path, kind: str, masks: str) -> None:
    folder = getattr(drawn_sets, kind)(tmp_path)
    before = [mask.numpy() for _, mask in (open_source(f"{kind}:{folder}", size=SIZE).test[n] for n in range(3))]
    for path in (folder / masks).rglob("*.png"):
        deep = np.asarray(Image.open(path)).astype(np.uint16) * 257
        Image.fromarray(deep * (255 if kind == "eg1800" else 1)).save(path)
    after = [mask.numpy() for _, mask in (open_source(f"{kind}:{folder}", size=SIZE).test[n] for n in range(3))]
    np.testing.assert_array_equal(after, before)


def test_unknown_classes_are_refused(objects: Path) -> None:
    path = objects / "SegmentationClass" / "2007_000000.png"
    drawn_sets.save(np.full((63, 40), 21, np.uint8), path)
    assert "2007_000000.png with value 21" in error(f"voc:{objects}")
    drawn_sets.save(drawn_sets.picture(1, 63, 40), path)
    assert "2007_000000.png in colour" in error(f"voc:{objects}")
