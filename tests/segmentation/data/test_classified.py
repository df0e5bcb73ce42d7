"""Classified pictures: how they are split, read, refused, and learned."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.io import savemat
from torch import nn

from foundation.errors import UserError
from segmentation.data.classified.registry import is_classified, open_classified
from segmentation.data.source import DataSource, PairDataset
from segmentation.training.augmentation import Augmentation
from segmentation.training.settings import TrainSettings
from segmentation.training.train import train
from tests.segmentation.data.drawn_classes import COLOURS, class_folders, digits, svhn


def labels(part: PairDataset) -> list[int]:
    return [int(part[index][1]) for index in range(len(part))]


@pytest.fixture
def pictures(tmp_path: Path) -> DataSource:
    return open_classified(f"images:{class_folders(tmp_path / 'pictures')}", size=(16, 16))


def test_a_folder_is_a_class_and_a_fifth_of_it_validates(pictures: DataSource) -> None:
    assert pictures.classes == ("blue", "green", "red")
    assert Counter(labels(pictures.train)) == {0: 4, 1: 4, 2: 4}
    assert Counter(labels(pictures.validation)) == {0: 1, 1: 1, 2: 1}
    image, label = pictures.train[0]
    assert label.shape == (1, 1)
    expected = torch.tensor(COLOURS[pictures.classes[int(label)]]) / 255
    torch.testing.assert_close(image.mean((1, 2)), expected, atol=0.05, rtol=0)


def test_a_count_takes_from_every_class(tmp_path: Path) -> None:
    folder = class_folders(tmp_path)
    source = open_classified(f"images:{folder}", count=8, size=(8, 8))
    assert sorted(Counter(labels(source.train) + labels(source.validation)).values()) == [2, 3, 3]
    other = open_classified(f"images:{folder}", count=8, size=(8, 8), seed=1)
    assert other.fingerprint != source.fingerprint


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "pictures")
    (folder / "readme.txt").write_text("colours")
    (folder / "red" / "list.txt").write_text("0.png")
    first, second = open_classified(f"images:{folder}").notes
    assert "readme.txt" in first
    assert "list.txt" in second


def test_a_picture_under_two_names_counts_once(tmp_path: Path) -> None:
    folder = class_folders(tmp_path)
    for copy in ("blue/again.png", "red/other.png"):
        (folder / copy).write_bytes((folder / "blue" / "0.png").read_bytes())
    source = open_classified(f"images:{folder}")
    assert Counter(labels(source.train) + labels(source.validation)) == {0: 5, 1: 5, 2: 5}
    first, second = source.notes
    assert "1 left out" in first
    assert "again.png" in first
    assert "other.png" in second


def test_copies_of_one_picture_are_no_class(tmp_path: Path) -> None:
    folder = class_folders(tmp_path)
    for path in (folder / "green").iterdir():
        path.write_bytes((folder / "green" / "0.png").read_bytes())
    with pytest.raises(UserError, match="fewer than 2 different pictures of green"):
        open_classified(f"images:{folder}")


def test_ten_of_svhn_is_the_digit_0_and_digits_are_not_mirrored(tmp_path: Path) -> None:
    source = open_classified(f"svhn:{svhn(tmp_path)}", size=(24, 40))
    assert source.classes == tuple("0123456789")
    assert not source.mirrors
    image, label = source.test[9]
    assert int(label) == 0
    assert image.mean() * 255 == pytest.approx(204.5, abs=1)
    assert (len(source.train), len(source.validation), len(source.test)) == (30, 10, 10)
    (tmp_path / "test_32x32.mat").unlink()
    assert len(open_classified(f"svhn:{tmp_path}").test) == 0


@pytest.mark.parametrize("no_mirror", [True, False])
def test_pictures_are_mirrored_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_mirror: bool
) -> None:
    folder = class_folders(tmp_path)
    source = open_classified(f"images:{folder}{'?no-mirror' if no_mirror else ''}", size=(8, 8))
    assert open_classified(source.name).mirrors is source.mirrors is not no_mirror
    used: list[float] = []
    of_batch = Augmentation.of_batch

    def noted(self: Augmentation, *batch: Any) -> Any:
        used.append(self.mirror)
        return of_batch(self, *batch)

    monkeypatch.setattr(Augmentation, "of_batch", noted)
    train(nn.Conv2d(3, 3, 8), source, TrainSettings(input_size=(8, 8), steps=1, threads=1))
    assert used == [0.0 if no_mirror else 0.5]


def test_a_network_learns_classes_of_whole_pictures(tmp_path: Path) -> None:
    source = open_classified(f"images:{class_folders(tmp_path, count=10)}", size=(16, 16))
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 3, 1))
    settings = TrainSettings(input_size=(16, 16), epochs=20, batch_size=8, dice_weight=0, threads=1)
    result = train(network, source, settings)
    assert result.quality.pixel_accuracy == 1
    assert result.quality.images == 6


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (b"MATLAB", "train_32x32.mat"),
        ({"X": digits(20)[0]}, "y"),
        ({"X": digits(20)[0], "y": digits(19)[1]}, "X of uint8, 32 x 32 x 3 x 20"),
        ({"X": digits(20)[0].astype(np.float64), "y": digits(20)[1]}, "X of float64"),
        ({"X": digits(20)[0], "y": np.full((20, 1), 11)}, "such as 11"),
        ({"X": digits(20)[0], "y": np.array(["one"] * 20)}, "such as one"),
        ({"X": digits(12)[0], "y": digits(12)[1]}, "fewer than 2 different pictures of 0"),
    ],
)
def test_other_files_than_digits_are_one_line(tmp_path: Path, damage: bytes | dict[str, object], expected: str) -> None:
    path = tmp_path / "train_32x32.mat"
    if isinstance(damage, bytes):
        path.write_bytes(damage)
    else:
        savemat(path, damage)
    with pytest.raises(UserError, match=expected):
        open_classified(f"svhn:{tmp_path}")


def test_a_cut_file_is_one_line(tmp_path: Path) -> None:
    path = svhn(tmp_path) / "train_32x32.mat"
    content = path.read_bytes()
    for size in (0, 100, 200, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(UserError, match="digits"):
            open_classified(f"svhn:{tmp_path}")


@pytest.mark.parametrize(
    ("text", "count", "expected"),
    [
        ("images:", None, "no path"),
        ("images:/no/such/folder", None, "no /no/such/folder"),
        ("images:{folder}?mirror", None, "no-mirror"),
        ("images:{folder}", 5, "--data-count"),
        ("images:{folder}/red", None, "2 to 255"),
        ("images:{folder}/..", None, "2 to 255"),
        ("svhn:{folder}", None, "train_32x32.mat"),
        ("folder:{folder}", None, "one of images, svhn"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, text: str, count: int | None, expected: str) -> None:
    folder = class_folders(tmp_path / "pictures")
    with pytest.raises(UserError, match=expected):
        open_classified(text.format(folder=folder), count=count)


def test_too_few_pictures_of_a_class(tmp_path: Path) -> None:
    folder = class_folders(tmp_path)
    for name in ("1", "2", "3", "4"):
        (folder / "green" / f"{name}.png").unlink()
    with pytest.raises(UserError, match="fewer than 2 different pictures of green"):
        open_classified(f"images:{folder}")


def test_kinds() -> None:
    assert is_classified("svhn:digits")
    assert not is_classified("folder:photos")
