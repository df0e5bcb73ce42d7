"""Scenes with people are far more varied than the portraits, and their masks are exact."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import label

from foundation.errors import UserError
from segmentation.data.registry import open_source
from segmentation.data.synthetic import people
from segmentation.data.synthetic.people import render_people

_MANY = [render_people(5, index, 96, 96) for index in range(120)]


def test_scenes_depend_on_seed_and_index_alone() -> None:
    for first, second in zip(render_people(3, 7, 64, 64), render_people(3, 7, 64, 64), strict=True):
        np.testing.assert_array_equal(first, second)
    for seed, index in ((4, 7), (3, 8)):
        assert (render_people(seed, index, 64, 64)[0] != render_people(3, 7, 64, 64)[0]).any()


@pytest.mark.parametrize("size", [(256, 256), (256, 144), (96, 128)])
def test_sizes_and_types(size: tuple[int, int]) -> None:
    image, mask = render_people(0, 1, *size)
    assert (image.shape, mask.shape) == ((*size, 3), size)
    assert image.dtype == mask.dtype == np.uint8
    assert set(np.unique(mask)) <= {0, 1}


def test_people_are_near_and_far_one_and_several_or_none() -> None:
    areas = np.array([mask.mean() for _, mask in _MANY])
    assert (areas == 0).any()
    assert ((areas > 0) & (areas < 0.08)).sum() >= 10
    assert (areas > 0.4).sum() >= 10
    pieces = [label(mask)[1] for _, mask in _MANY]
    assert sum(count > 1 for count in pieces) >= 10


def test_the_mask_is_where_people_are_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    """With another background and a plain camera, pixels change outside the mask and nowhere inside."""
    monkeypatch.setattr(people, "cast_shadow", lambda background, person, rng: background)
    monkeypatch.setattr(people, "photograph", lambda picture, rng: picture * 255)
    monkeypatch.setattr(people, "degraded", lambda image, rng: image)
    monkeypatch.setattr(people, "_OCCLUDED", 0.0)
    for index in range(12):
        pictures = []
        for level in (0.0, 1.0):
            monkeypatch.setattr(
                people, "render_background", lambda rng, h, w, level=level: np.full((h, w, 3), level, np.float32)
            )
            pictures.append(render_people(1, index, 128, 128))
        (dark, mask), (bright, same_mask) = pictures
        np.testing.assert_array_equal(mask, same_mask)
        changed = (bright.astype(int) - dark.astype(int)).mean(2) / 255
        # Where two people's outlines meet, more than one of them hides the background.
        assert (changed[mask == 1] <= 0.5 + 0.01).all()
        assert (changed[mask == 0] >= 0.25 - 0.02).all()


def test_things_in_front_are_no_people(monkeypatch: pytest.MonkeyPatch) -> None:
    areas = {}
    for share in (0.0, 1.0):
        monkeypatch.setattr(people, "_OCCLUDED", share)
        areas[share] = np.mean([render_people(5, index, 64, 64)[1].mean() for index in range(30)])
    assert areas[1.0] < 0.95 * areas[0.0]


def test_pictures_are_degraded(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [image for image, _ in _MANY[:40]]
    monkeypatch.setattr(people, "degraded", lambda image, rng: image)
    after = [render_people(5, index, 96, 96)[0] for index in range(40)]
    changed = sum(bool((one != other).any()) for one, other in zip(before, after, strict=True))
    assert 10 <= changed < 40


def test_the_source_opens_again_from_its_name() -> None:
    source = open_source("synthetic:10?people", size=(48, 48))
    assert source.name == "synthetic:10?people"
    again = open_source(source.name, size=(48, 48))
    portraits = open_source("synthetic:10", size=(48, 48))
    assert again.fingerprint == source.fingerprint != portraits.fingerprint
    assert (source.train[0][0] != portraits.train[0][0]).any()


def test_other_options_are_refused() -> None:
    with pytest.raises(UserError, match="whole number"):
        open_source("synthetic:10?crowd")
