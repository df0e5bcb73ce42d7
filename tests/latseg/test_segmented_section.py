"""The report's section on pictures that ``segment`` cut out."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from foundation.errors import UserError
from latseg.report.segmented_section import segmented_section


def written(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        Image.new("RGB", (60, 30), "red").save(folder / f"{number:02}_overlay.png")
        Image.new("RGBA", (60, 30), (255, 0, 0, 0)).save(folder / f"{number:02}_cutout.png")
        Image.new("L", (60, 30)).save(folder / f"{number:02}_mask.png")
    return folder


def test_overlays_and_cut_outs_are_shown(tmp_path: Path) -> None:
    section = segmented_section(written(tmp_path / "out", 2), "folder:photos")
    assert section.body.count("<img ") == 4
    assert section.body.count('class="transparent"') == 2
    assert "<figcaption>01, cut out</figcaption>" in section.body
    assert "the first" not in section.lead
    assert section.lead.endswith("The net was trained on folder:photos.")


def test_only_synthetic_data_are_painted(tmp_path: Path) -> None:
    folder = written(tmp_path / "out", 1)
    assert "painted" in segmented_section(folder, "synthetic").lead
    assert "painted" not in segmented_section(folder, "synthetic-photos:here").lead


def test_of_many_pictures_the_first_are_shown(tmp_path: Path) -> None:
    section = segmented_section(written(tmp_path / "out", 13), "synthetic:8")
    assert section.body.count("<img ") == 24
    assert "synthetic:8, painted pictures alone" in section.lead
    assert "the first 12 of 13 pictures" in section.lead


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--segmented: got no NAME_overlay\.png in"):
        segmented_section(tmp_path / "none", "synthetic")
    folder = written(tmp_path / "out", 1)
    (folder / "00_cutout.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="run `latseg segment` again"):
        segmented_section(folder, "synthetic")
    (folder / "00_cutout.png").unlink()
    with pytest.raises(UserError, match="no such file"):
        segmented_section(folder, "synthetic")
