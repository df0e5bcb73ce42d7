from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typing_extensions import override

from latseg.testing.data_contract import DataContract
from tests.segmentation.data import drawn_classes, drawn_sets


def _write_pairs(folder: Path, count: int, classes: int, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for number in range(count):
        name = f"{seed}{number:02}.png"
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(folder / "images" / name)
        Image.fromarray(rng.integers(0, classes, (20, 30), dtype=np.uint8)).save(folder / "masks" / name)
    return folder


class TestSynthetic(DataContract):
    @override
    def text(self) -> str:
        return "synthetic:6"


class _OnFiles(DataContract):
    kind: str
    classes: int

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = _write_pairs(tmp_path / "pairs", 60, self.classes)

    @override
    def text(self) -> str:
        return f"{self.kind}:{self.folder}"


class TestFolder(_OnFiles):
    kind = "folder"
    classes = 2


class TestCelebAMask(_OnFiles):
    kind = "celebamask"
    classes = 19


class TestCelebAMaskPerson(_OnFiles):
    kind = "celebamask"
    classes = 19

    @override
    def text(self) -> str:
        return super().text() + "?person"


class TestFolderOfParts(_OnFiles):
    kind = "folder"
    classes = 2

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        for seed, part in enumerate(("train", "val", "test")):
            _write_pairs(tmp_path / part, 4, 2, seed)


class _Layout(_OnFiles):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = getattr(drawn_sets, self.kind)(tmp_path)


class TestCelebAMaskParts(_Layout):
    kind = "celebamask"


class TestCelebAMaskPartsPerson(_Layout):
    kind = "celebamask"

    @override
    def text(self) -> str:
        return super().text() + "?person"


class TestEg1800(_Layout):
    kind = "eg1800"


class TestHelen(_Layout):
    kind = "helen"


class TestVoc(_Layout):
    kind = "voc"


class TestVocPerson(_Layout):
    kind = "voc"

    @override
    def text(self) -> str:
        return super().text() + "?person"


class TestCoco(_Layout):
    kind = "coco"


class TestSupervisely(_Layout):
    kind = "supervisely"


class TestClassFolders(DataContract):
    whole_pictures = True

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = drawn_classes.class_folders(tmp_path)

    @override
    def text(self) -> str:
        return f"images:{self.folder}?no-mirror"


class TestSvhn(DataContract):
    whole_pictures = True

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = drawn_classes.svhn(tmp_path)

    @override
    def text(self) -> str:
        return f"svhn:{self.folder}"
