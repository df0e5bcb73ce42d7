"""Masks of videos: smoothed over time, and how much they flicker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.bundle.preprocess import Placement
from export.bundle.segment import Segmenter
from export.bundle.smoothing import SHARE, STILL, Smoother
from export.bundle.video import segment_video
from latseg import cli
from latseg.bundle import Bundle
from segmentation.data.synthetic.people import render_people

WHOLE = Placement(0, 0, 4, 6)


def scene(noise: float, count: int = 6) -> Iterator[Image.Image]:
    """One synthetic scene, seen by a camera with noise (standard deviation, levels of 255)."""
    still = render_people(0, 3, 64, 96)[0].astype(float)
    random = np.random.default_rng(0)
    for _ in range(count):
        yield Image.fromarray(np.clip(still + random.normal(0, noise, still.shape), 0, 255).astype(np.uint8))


def frames(folder: Path, noise: float) -> Path:
    folder.mkdir()
    for number, image in enumerate(scene(noise)):
        image.save(folder / f"{number}.png")
    return folder


def logits(margin: float) -> np.ndarray:
    return np.stack([np.zeros((4, 6)), np.full((4, 6), margin)])[None].astype(np.float32)


def test_noise_makes_masks_flicker_and_smoothing_less_so(bundle: Path, tmp_path: Path) -> None:
    segmenter, found = Segmenter(bundle), {}
    for noise in (0.0, 2.0, 6.0):
        video = frames(tmp_path / str(noise), noise)
        found[noise] = segment_video(segmenter, video, tmp_path / "out")
        plain = segment_video(segmenter, video, tmp_path / "out", smoothing=False)
        assert plain.flicker_percent == plain.raw_flicker_percent == found[noise].raw_flicker_percent
    assert found[0.0].raw_flicker_percent == found[0.0].flicker_percent == 0
    assert 0 < found[2.0].raw_flicker_percent < found[6.0].raw_flicker_percent
    for noise in (2.0, 6.0):
        assert found[noise].flicker_percent < 0.6 * found[noise].raw_flicker_percent


def test_smoothing_where_the_picture_stays_and_only_there() -> None:
    before, after = np.full((4, 6, 3), 100, np.uint8), np.full((4, 6, 3), 100, np.uint8)
    after[:, :2] += STILL
    after[:, 2:, 1] += STILL + 1  # one colour is enough
    smoother = Smoother()
    np.testing.assert_array_equal(smoother.smoothed(before, logits(-1), WHOLE), logits(-1))
    smoothed = smoother.smoothed(after, logits(3), WHOLE)[0, 1]
    np.testing.assert_allclose(smoothed[:, :2], -1 + SHARE * 4, rtol=1e-6)
    np.testing.assert_array_equal(smoothed[:, 2:], 3)
    again = smoother.smoothed(after, logits(3), WHOLE)[0, 1]
    np.testing.assert_allclose(again[:, :2], -1 + SHARE * 4 + SHARE * (4 - SHARE * 4), rtol=1e-6)


def test_flicker_by_hand() -> None:
    """Of the pixels that stay, inside of the picture's place."""
    share = 1 / (1 + np.exp(-1.0))
    picture = np.zeros((4, 6, 3), np.uint8)
    other = picture.copy()
    other[0] = 255
    smoother = Smoother(enabled=False)
    assert smoother.before.percent is None
    changed = logits(0)
    changed[0, 1, 1:3, :3] = 1
    changed[0, 1, 3] = 9  # outside
    smoother.smoothed(picture, logits(0), Placement(0, 0, 3, 6))
    smoother.smoothed(other, changed, Placement(0, 0, 3, 6))
    assert smoother.before.percent == pytest.approx(100 * (share - 0.5) / 2)
    assert smoother.after.percent == smoother.before.percent
    for _ in range(3):
        smoother.smoothed(other, changed, Placement(0, 0, 3, 6))
    assert smoother.before.percent == pytest.approx(100 * (share - 0.5) * 6 / (12 + 3 * 18))


def test_each_frame_of_several_videos_has_results_of_its_own(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the videos name their frames alike, the names have dots, and one of the videos cannot be read."""
    paths = [tmp_path / "a", tmp_path / "missing.gif", tmp_path / "b"]
    for path in (paths[0], paths[2]):
        path.mkdir()
        for number, image in enumerate(scene(0.0, 2), start=1):
            image.save(path / f"shot.000{number}.png")
    words = ["--quiet", "--json", "segment", str(bundle), *map(str, paths), "--video", "-o", str(tmp_path / "out")]
    assert cli.run(words) == 2
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    names = [Path(row["mask"]).name for row in document["outputs"]]
    assert names == [f"shot.000{n}{again}_mask.png" for again in ("", "_2") for n in (1, 2)]
    assert all((tmp_path / "out" / name).is_file() for name in names)
    assert [Path(one["video"]) for one in document["videos"]] == [paths[0], paths[2]]
    assert [Path(row["image"]) for row in document["failed_images"]] == [paths[1]]
    assert printed.err.startswith("latseg: frame: got")
    assert printed.err.count("\n") == 1


def test_command_and_interface(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, *rest = scene(4.0, 3)
    first.save(tmp_path / "clip.webp", save_all=True, append_images=rest, lossless=True)
    clip, out = tmp_path / "clip.webp", tmp_path / "out"
    words = ["--quiet", "--json", "segment", str(bundle), str(clip), "--video", "-o", str(out)]
    assert cli.run(words) == 0
    document = json.loads(capsys.readouterr().out)
    assert [Path(row["mask"]).name for row in document["outputs"]] == [f"clip_00000{n}_mask.png" for n in (1, 2, 3)]
    (video,) = document["videos"]
    assert (video["video"], video["frames"]) == (str(clip), 3)
    assert 0 < video["flicker_percent"] < video["flicker_without_smoothing_percent"]
    assert all((out / Path(row["cutout"]).name).is_file() for row in document["outputs"])
    assert cli.run([*words, "--no-smoothing"]) == 0
    (plain,) = json.loads(capsys.readouterr().out)["videos"]
    assert plain["flicker_percent"] == video["flicker_without_smoothing_percent"]
    found = Bundle(bundle).segment_video(clip, out)
    assert found.flicker_percent == video["flicker_percent"]
    assert cli.run(["--quiet", "segment", str(bundle), str(clip), "--video", "-o", str(out)]) == 0
    assert "without smoothing" in capsys.readouterr().out
    assert cli.run(["--quiet", "segment", str(bundle), str(tmp_path / "none.mp4"), "--video", "-o", str(out)]) == 2
    assert capsys.readouterr().err.startswith("latseg: video: got")
