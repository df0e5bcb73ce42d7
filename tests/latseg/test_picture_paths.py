"""A folder stands for the pictures in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from foundation.errors import UserError
from latseg.picture_paths import picture_paths


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "inner").mkdir(parents=True)
    for name in ("b.png", "a.jpg", ".hidden.png", "inner/c.png"):
        Image.new("RGB", (8, 8)).save(folder / name)
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_files_and_folders_in_their_order(photos: Path, tmp_path: Path) -> None:
    found = picture_paths([tmp_path / "x.png", photos, str(photos / "b.png")], tmp_path / "out")
    assert found.files == (tmp_path / "x.png", photos / "a.jpg", photos / "b.png", photos / "b.png")
    assert found.notes == (f"2 left out of {photos} (no pictures that can be read): inner, notes.txt",)


def test_what_is_refused(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="folder of pictures: got no pictures in"):
        picture_paths([tmp_path / "empty"], tmp_path / "out")
    monkeypatch.chdir(photos)
    with pytest.raises(UserError, match="the folder of the pictures; expected another folder"):
        picture_paths([photos], Path())

    def closed(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", closed)
    with pytest.raises(UserError, match=r"photos \(Permission denied\)"):
        picture_paths([photos], tmp_path / "out")
