"""Folders as people bring them, where the small inputs beside the repository are present."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from foundation.errors import UserError
from segmentation.data.registry import open_source

CASES = Path(__file__).parents[4] / "shared" / "cases"
SIZE = (96, 72)

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="no cases beside the repository")


def _values(name: str) -> list[list[int]]:
    """Pixels of background, of person and without label, of each of the six masks."""
    source = open_source(f"folder:{CASES / name}", size=SIZE)
    pairs = [part[index] for part in (source.train, source.validation) for index in range(len(part))]
    return [np.bincount(mask.numpy().reshape(-1), minlength=256)[[0, 1, 255]].tolist() for _, mask in pairs]


@pytest.mark.parametrize(
    ("name", "contour"),
    [
        ("20-voc-void", True),
        ("21-mask-in-alpha-white", False),
        ("22-mask-palette-swapped", False),
        ("23-exif-mask-with-exif", False),
        ("27-unknown-endings", False),
    ],
)
def test_the_person_is_where_it_was_drawn(name: str, contour: bool) -> None:
    values = _values(name)
    assert len(values) == 6
    for background, person, ignored in values:
        assert 5000 < background < 5020
        assert 1750 < person < 1920
        assert (130 < ignored < 150) == contour
        assert background + person + ignored == SIZE[0] * SIZE[1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("26-same-stem-images", "two images p0.jpg and p0.png"),
        ("30-no-person", "no pixel of person in any of the 6 masks"),
        ("31-classes-utf16", "no pixel of person in any of the 6 masks"),
    ],
)
def test_what_cannot_be_used_is_refused(name: str, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        open_source(f"folder:{CASES / name}", size=SIZE)
    assert expected in str(caught.value)


def test_the_names_in_utf16_are_read() -> None:
    from segmentation.data.class_names import class_names

    assert class_names(CASES / "31-classes-utf16") == ("background", "person", "hair")


def test_the_orientation_is_applied_to_photograph_and_mask() -> None:
    source = open_source(f"folder:{CASES / '23-exif-mask-with-exif'}", size=SIZE)
    for image, mask in (source.train[index] for index in range(len(source.train))):
        inside = image[:, mask == 1].mean(1)
        outside = image[:, mask == 0].mean(1)
        assert (inside - outside).abs().max() > 0.1
