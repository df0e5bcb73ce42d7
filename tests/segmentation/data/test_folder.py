import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from foundation.errors import UserError
from segmentation.data.folder_pairs import FolderPairs
from segmentation.data.left_right import left_and_right
from segmentation.data.mask_convention import Mask, mask_convention
from segmentation.data.mask_size import resized_mask
from segmentation.data.registry import open_source
from segmentation.data.source import PairDataset

Array = npt.NDArray[np.uint8]


def _pair(height: int = 20, width: int = 30, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    mask = np.zeros((height, width), np.uint8)
    mask[height // 2 :, width // 4 : width // 2] = 255
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8), mask


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten pairs as ``images/*.png`` and ``masks/*.png``."""
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    for number in range(10):
        image, mask = _pair(seed=number)
        Image.fromarray(image).save(tmp_path / "images" / f"{number}.png")
        Image.fromarray(mask).save(tmp_path / "masks" / f"{number}.png")
    return tmp_path


def _read_all(text: str) -> None:
    source = open_source(text, size=(16, 16))
    for part in (source.train, source.validation):
        for index in range(len(part)):
            part[index]


def _error(text: str) -> str:
    with pytest.raises(UserError) as caught:
        _read_all(text)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_pairs_are_read_and_dealt(folder: Path) -> None:
    source = open_source(f"folder:{folder}", size=(20, 30))
    assert (len(source.train), len(source.validation)) == (8, 2)
    assert source.classes == ("background", "person")
    image, mask = source.train[0]
    number = int(source.train.files[0][0].stem)  # type: ignore[attr-defined]
    expected = torch.from_numpy(_pair(seed=number)[0]).movedim(-1, 0) / 255
    torch.testing.assert_close(image, expected)
    assert torch.equal(mask, torch.from_numpy(_pair()[1] // 255).long())


def test_the_deal_depends_on_the_seed_alone(folder: Path) -> None:
    def names(seed: int) -> list[str]:
        return [image.name for image, _ in open_source(f"folder:{folder}", seed=seed).validation.files]  # type: ignore[attr-defined]

    assert names(0) == names(0)
    assert len({tuple(names(seed)) for seed in range(5)}) > 1


def test_count_takes_a_part(folder: Path) -> None:
    source = open_source(f"folder:{folder}", count=5)
    assert (len(source.train), len(source.validation)) == (4, 1)


def test_images_are_stretched_to_the_size(folder: Path) -> None:
    source = open_source(f"folder:{folder}", size=(64, 48))
    image, mask = source.train[0]
    assert image.shape == (3, 64, 48)
    assert mask.shape == (64, 48)
    assert mask.float().mean() == pytest.approx(_pair()[1].mean() / 255, abs=0.02)


@pytest.mark.parametrize(
    ("images", "masks", "ending"),
    [("Training_Images", "Ground_Truth", ""), ("JPEGImages", "labels", "_mask"), (".", ".", "_mask"), (".", ".", "")],
)
def test_layouts(tmp_path: Path, images: str, masks: str, ending: str) -> None:
    for part in (images, masks):
        (tmp_path / part).mkdir(exist_ok=True)
    for number in range(4):
        image, mask = _pair()
        Image.fromarray(image).save(tmp_path / images / f"{number}.jpg")
        Image.fromarray(mask).save(tmp_path / masks / f"{number}{ending}.png")
    assert len(open_source(f"folder:{tmp_path}").train) == 3


def test_class_names_and_ignored_pixels(folder: Path) -> None:
    (folder / "classes.txt").write_text("background\nleft eye\nright eye\n")
    for path in (folder / "masks").iterdir():
        mask = np.zeros((20, 30), np.uint8)
        mask[0], mask[1], mask[2] = 1, 2, 255
        image = Image.fromarray(mask).convert("P")
        image.putpalette(list(range(256)) * 3)
        image.save(path)
    source = open_source(f"folder:{folder}", size=(20, 30))
    assert source.classes == ("background", "left eye", "right eye")
    assert source.flip_swaps == ((1, 2),)
    assert source.train[0][1][:4, 0].tolist() == [1, 2, 255, 0]


# Test part


def _image_names(part: PairDataset) -> set[str]:
    assert isinstance(part, FolderPairs)
    return {image.name for image, _ in part.files}


def _copies(folder: Path, numbers: range) -> None:
    for number in numbers:
        for part in ("images", "masks"):
            shutil.copy(folder / part / "0.png", folder / part / f"{number}.png")


def test_the_test_part_depends_on_file_names_alone(folder: Path) -> None:
    assert len(open_source(f"folder:{folder}").test) == 0
    _copies(folder, range(10, 120))
    test = _image_names(open_source(f"folder:{folder}").test)
    assert 5 <= len(test) <= 20
    assert _image_names(open_source(f"folder:{folder}", seed=1).test) == test
    assert len(open_source(f"folder:{folder}", count=4).test) == 4
    _copies(folder, range(120, 140))
    assert _image_names(open_source(f"folder:{folder}").test) & {f"{number}.png" for number in range(120)} == test


def test_runs_without_a_test_part_keep_their_split(folder: Path) -> None:
    """The split is the one that was made before there was a test part."""
    _copies(folder, range(10, 60))
    source = open_source(f"folder:{folder}", seed=3, hold_out_test=False)
    names = sorted(f"{number}.png" for number in range(60))
    order = [names[place] for place in np.random.default_rng(3).permutation(60)]
    assert [image.name for image, _ in source.validation.files] == order[:12]  # type: ignore[attr-defined]
    assert [image.name for image, _ in source.train.files] == order[12:]  # type: ignore[attr-defined]
    assert len(source.test) == 0


def test_the_fingerprint_sees_exchanged_files(folder: Path, tmp_path: Path) -> None:
    before = open_source(f"folder:{folder}").fingerprint
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    assert open_source(f"folder:{moved}").fingerprint == before
    Image.fromarray(_pair(seed=99)[0][:, ::-1] // 2).save(moved / "images" / "4.png")
    assert open_source(f"folder:{moved}").fingerprint != before


# Errors


def test_mask_of_another_size(folder: Path) -> None:
    Image.fromarray(_pair(10, 15)[1]).save(folder / "masks" / "3.png")
    message = _error(f"folder:{folder}")
    assert "masks/3.png: got 15 x 10 pixels; expected 30 x 20 like its image 3.png" in message
    assert "?resize-masks" in message
    for source in (
        open_source(f"folder:{folder}?resize-masks", size=(20, 30)),
        open_source(f"folder:{folder}", size=(20, 30), resize_masks=True),
    ):
        assert source.name == f"folder:{folder}?resize-masks"
        parts = [pair for part in (source.train, source.validation) for pair in map(part.__getitem__, range(len(part)))]
        means = [mask.float().mean().item() for _, mask in parts]
        assert max(means) - min(means) < 0.02


def _empty(folder: Path) -> None:
    for path in folder.rglob("*.png"):
        path.unlink()


def _one_pair(folder: Path) -> None:
    for path in folder.rglob("*.png"):
        if path.stem != "0":
            path.unlink()


def _truncated(folder: Path) -> None:
    path = folder / "images" / "5.png"
    path.write_bytes(path.read_bytes()[:700])


def _two_masks(folder: Path) -> None:
    Image.fromarray(_pair()[1]).save(folder / "masks" / "2.bmp")


def _colour(folder: Path) -> None:
    Image.fromarray(_pair()[0]).save(folder / "masks" / "2.png")


def _class_ids(folder: Path) -> None:
    Image.fromarray(_pair()[1] // 50).save(folder / "masks" / "2.png")


def _too_high(folder: Path) -> None:
    (folder / "classes.txt").write_text("a\nb\nc\n")
    Image.fromarray(_pair()[1] // 50).save(folder / "masks" / "2.png")


def _same_names(folder: Path) -> None:
    (folder / "classes.txt").write_text("a\na\n")


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (_empty, "no pairs in"),
        (_one_pair, "number of pairs: got 1 "),
        (lambda folder: (folder / "masks" / "4.png").unlink(), "images/4.png without a mask"),
        (
            lambda folder: (folder / "images" / "5.png").write_text("no picture"),
            "5.png: not a picture",
        ),
        (_truncated, "images/5.png"),
        (_two_masks, "two masks 2.bmp and 2.png"),
        (_colour, "masks/2.png in colour"),
        (_class_ids, "values up to 5; expected 0 and 1, or 0 and 255; name the classes"),
        (_too_high, "value 5; expected class numbers below 3"),
        (_same_names, "2 names, 1 of them different"),
    ],
)
def test_spoilt_folders(folder: Path, spoil: Callable[[Path], object], expected: str) -> None:
    spoil(folder)
    assert expected in _error(f"folder:{folder}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("folder:", "got no path; expected folder:PATH"),
        ("pictures", "got 'pictures'; expected one of synthetic, folder, celebamask"),
        ("", "got ''"),
        ("folder:/nowhere/at/all", "no folder /nowhere/at/all"),
        ("folder:/nowhere?resize", "option of folder:PATH: got resize; expected resize-masks"),
        ("eg1801:/nowhere", "got 'eg1801:/nowhere'"),
        ("synthetic:many", "got 'many'; expected a whole number"),
        ("synthetic:0", "got 0; expected at least 2"),
        ("synthetic:-3", "got '-3'; expected a whole number"),
    ],
)
def test_texts_that_name_no_source(text: str, expected: str) -> None:
    assert expected in _error(text)


def test_synthetic_text() -> None:
    assert len(open_source("synthetic:10").train) == 8
    assert len(open_source("synthetic", count=20).validation) == 4


# Files


def read_mask(path: Path, classes: int) -> Mask:
    return mask_convention([path], classes).read(path)


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGB", "I;16"])
def test_binary_masks_of_every_mode(tmp_path: Path, mode: str) -> None:
    mask = _pair()[1]
    if mode == "P":
        image = Image.fromarray(mask // 255).convert("P")
        image.putpalette([0, 0, 0, 200, 10, 10])
    else:
        image = Image.fromarray(mask.astype(np.uint16) * 257 if mode == "I;16" else mask)
        image = image if mode == "I;16" else image.convert(mode)
    image.save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", 2), mask // 255)


def test_masks_of_floats(tmp_path: Path) -> None:
    values = np.array([[0, 0.4, 0.6, 1, 1, 1, 1]], np.float32)
    Image.fromarray(values).save(tmp_path / "smooth.tif")
    assert read_mask(tmp_path / "smooth.tif", 2).tolist() == [[0, 0, 1, 1, 1, 1, 1]]
    Image.fromarray(np.rint(values)).save(tmp_path / "whole.tif")
    assert read_mask(tmp_path / "whole.tif", 3).tolist() == [[0, 0, 1, 1, 1, 1, 1]]


def test_smoothed_masks_are_cut_at_the_middle(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 100, 127, 128, 200, *[255] * 8]], np.uint8)).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png", 2).tolist() == [[0, 0, 0, *[1] * 10]]


def test_resized_masks_hold_the_same_classes() -> None:
    rng = np.random.default_rng(0)
    mask = rng.choice(np.array([0, 3, 255], np.uint8), (40, 40))
    assert set(np.unique(resized_mask(mask, (13, 17)))) <= {0, 3, 255}
    assert resized_mask(np.ones((9, 9), np.uint8), (5, 4)).min() == 1


def test_left_and_right_by_name() -> None:
    names = ("skin", "l_eye", "r_eye", "u_lip", "l_lip", "left arm", "right arm")
    assert left_and_right(names) == ((1, 2), (5, 6))


# CelebAMask-HQ


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    for number in range(20):
        Image.fromarray(_pair()[0]).save(tmp_path / "images" / f"{number:03}.jpg")
        Image.fromarray(np.arange(600, dtype=np.uint8).reshape(20, 30) % 19).save(
            tmp_path / "masks" / f"{number:03}.png"
        )
    return tmp_path


def test_celebamask_splits_by_file_name(faces: Path) -> None:
    source = open_source(f"celebamask:{faces}", size=(20, 30))
    parts = (source.train, source.validation, source.test)
    assert [image.stem for part in parts for image, _ in part.files] == [f"{number:03}" for number in range(20)]  # type: ignore[attr-defined]
    assert [len(part) for part in parts] == [14, 2, 4]
    assert len(source.classes) == 19
    assert source.flip_swaps == ((4, 5), (6, 7), (8, 9))
    assert source.train[0][1].unique().tolist() == list(range(19))


def test_count_limits_the_training_part_of_celebamask(faces: Path) -> None:
    source = open_source(f"celebamask:{faces}", count=5)
    assert [len(part) for part in (source.train, source.validation, source.test)] == [5, 2, 4]


def test_celebamask_as_person(faces: Path) -> None:
    source = open_source(f"celebamask:{faces}?person", size=(20, 30))
    assert source.classes == ("background", "person")
    assert source.train[0][1].float().mean() > 0.9


@pytest.mark.parametrize("options", ["", "?person", "?resize-masks", "?person&resize-masks"])
def test_celebamask_opens_again_by_its_name(faces: Path, options: str) -> None:
    name = f"celebamask:{faces}{options}"
    assert open_source(open_source(name).name).name == name


# Folders of parts


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    for number, part in enumerate(("Train",) * 10 + ("val",) * 3 + ("test",) * 2):
        image, mask = _pair(seed=number)
        for kind, pixels in (("images", image), ("masks", mask)):
            (tmp_path / part / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / part / kind / f"{number}.png")
    return tmp_path


def _sizes(text: str, **options: int) -> list[int]:
    source = open_source(text, size=(20, 30), **options)  # type: ignore[arg-type]
    return [len(part) for part in (source.train, source.validation, source.test)]


def test_folders_of_parts_are_the_parts(parts: Path) -> None:
    source = open_source(f"folder:{parts}")
    assert _image_names(source.validation) == {"10.png", "11.png", "12.png"}
    assert _image_names(source.test) == {"13.png", "14.png"}
    assert _sizes(f"folder:{parts}", count=5) == [4, 1, 2]
    (parts / "classes.txt").write_text("background\na\n")
    assert open_source(f"folder:{parts}").classes == ("background", "a")


def test_without_a_folder_for_validation_a_fifth_validates(parts: Path) -> None:
    shutil.rmtree(parts / "val")
    assert _sizes(f"folder:{parts}") == [8, 2, 2]
    shutil.rmtree(parts / "test")
    assert _sizes(f"folder:{parts}") == [8, 2, 0]


def test_no_picture_is_in_two_folders_of_parts(parts: Path) -> None:
    shutil.copy(parts / "test" / "images" / "13.png", parts / "val" / "images" / "10.png")
    shutil.copy(parts / "val" / "images" / "11.png", parts / "Train" / "images" / "0.png")
    source = open_source(f"folder:{parts}")
    assert [len(part) for part in (source.train, source.validation, source.test)] == [9, 2, 2]
    assert sum("1 left out, since they are the same" in note for note in source.notes) == 2


def test_two_folders_of_one_part_are_refused(parts: Path) -> None:
    (parts / "valid").mkdir()
    assert "val and valid" in _error(f"folder:{parts}")


def test_pairs_beside_folders_of_parts_come_first(parts: Path, folder: Path) -> None:
    assert folder == parts
    assert _sizes(f"folder:{parts}") == [8, 2, 0]
