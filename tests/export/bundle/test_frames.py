from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from export.bundle.frames import read_frames
from foundation.errors import UserError

GREYS = (0, 90, 180, 255)


def even(grey: int) -> Image.Image:
    return Image.new("RGB", (8, 6), (grey, grey, grey))


def values(path: Path) -> list[int]:
    return [int(picture.rgb.mean()) for _, picture in read_frames(path)]


def test_a_folder_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    for number, grey in zip((2, 10, 1, 9), (90, 255, 0, 180), strict=True):
        even(grey).save(tmp_path / f"frame{number}.png")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden.png").write_bytes(b"no picture")
    assert [name for name, _ in read_frames(tmp_path)] == ["frame1", "frame2", "frame9", "frame10"]
    assert values(tmp_path) == [0, 90, 180, 255]


def test_only_files_that_pillow_decodes_are_frames(tmp_path: Path) -> None:
    even(0).save(tmp_path / "shot.0001.png")
    even(90).save(tmp_path / "shot.0002.ppm")
    for other in ("sheet.pdf", "clip.mpg", "vectors.eps", "data.h5"):
        (tmp_path / other).write_bytes(b"no frame")
    (tmp_path / "folder.png").mkdir()
    assert [name for name, _ in read_frames(tmp_path)] == ["shot.0001", "shot.0002"]


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_an_animated_picture(tmp_path: Path, name: str) -> None:
    first, *rest = map(even, GREYS)
    first.save(tmp_path / name, save_all=True, append_images=rest, **({"lossless": True} if "webp" in name else {}))
    assert [frame for frame, _ in read_frames(tmp_path / name)] == [f"a_{number:06d}" for number in (1, 2, 3, 4)]
    np.testing.assert_allclose(values(tmp_path / name), GREYS, atol=2)


class Capture:
    """As OpenCV's: blue first; every file of it has two frames, an empty one none."""

    def __init__(self, path: str) -> None:
        self._left = 2 if Path(path).stat().st_size else 0
        self.released = False
        Capture.last = self

    def read(self) -> tuple[bool, np.ndarray | None]:
        self._left -= 1
        return (True, np.full((4, 5, 3), (250, 20, 10 * self._left), np.uint8)) if self._left >= 0 else (False, None)

    def release(self) -> None:
        self.released = True


def test_a_video_file_is_decoded_by_opencv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", SimpleNamespace(VideoCapture=Capture))
    (tmp_path / "a.mp4").write_bytes(b"video")
    frames = list(read_frames(tmp_path / "a.mp4"))
    assert [(name, picture.rgb[0, 0].tolist()) for name, picture in frames] == [
        ("a_000001", [10, 20, 250]),
        ("a_000002", [0, 20, 250]),
    ]
    assert Capture.last.released
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(UserError, match=r"video: got .*empty\.mp4 without a frame"):
        list(read_frames(tmp_path / "empty.mp4"))


def test_without_opencv_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    (tmp_path / "a.mp4").write_bytes(b"video")
    with pytest.raises(UserError, match=r'OpenCV is not installed; expected a folder .*pip install "latseg\[video\]"'):
        list(read_frames(tmp_path / "a.mp4"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.mp4", None, r"video: got .*missing\.mp4 \(no such file\)"),
        ("missing.gif", None, r"frame: got .*missing\.gif: no such file"),
        ("broken.gif", b"no picture", r"frame: got .*broken\.gif: not a picture"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        list(read_frames(tmp_path / name))
    assert "\n" not in str(error.value)


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"folder of frames: got .* without a picture"):
        list(read_frames(tmp_path))
