import numpy as np
import pytest
import torch
from scipy.ndimage import label

from foundation.errors import UserError
from segmentation.data.registry import open_source
from segmentation.data.synthetic import scene as portrait_scene
from segmentation.data.synthetic.scene import render_portrait
from segmentation.data.synthetic.source import SyntheticPortraits

_MANY = [render_portrait(5, index, 96, 96) for index in range(60)]


def test_portraits_depend_on_seed_and_index_alone() -> None:
    image, mask = render_portrait(3, 7, 64, 64)
    again, mask_again = render_portrait(3, 7, 64, 64)
    np.testing.assert_array_equal(image, again)
    np.testing.assert_array_equal(mask, mask_again)
    for seed, index in ((4, 7), (3, 8)):
        assert (render_portrait(seed, index, 64, 64)[0] != image).any()


@pytest.mark.parametrize("size", [(256, 256), (256, 144), (96, 128)])
def test_sizes_and_types(size: tuple[int, int]) -> None:
    image, mask = render_portrait(0, 0, *size)
    assert image.shape == (*size, 3)
    assert mask.shape == size
    assert image.dtype == mask.dtype == np.uint8
    assert set(np.unique(mask)) == {0, 1}


def test_the_person_covers_a_tenth_to_three_quarters() -> None:
    areas = [mask.mean() for _, mask in _MANY]
    assert min(areas) > 0.1
    assert max(areas) < 0.75
    assert np.std(areas) > 0.03


def test_the_person_is_one_piece_that_reaches_the_lower_edge() -> None:
    for _, mask in _MANY:
        pieces, count = label(mask)
        assert np.bincount(pieces.ravel())[1:].max() > 0.97 * mask.sum(), count
        assert mask[-1].any()


def test_the_mask_is_where_the_person_is_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    """With another background and a plain camera, pixels change outside the mask and nowhere inside."""
    monkeypatch.setattr(portrait_scene, "cast_shadow", lambda background, person, rng: background)
    monkeypatch.setattr(portrait_scene, "photograph", lambda picture, rng: picture * 255)
    pictures = []
    for level in (0.0, 1.0):
        monkeypatch.setattr(
            portrait_scene, "render_background", lambda rng, h, w, level=level: np.full((h, w, 3), level, np.float32)
        )
        pictures.append(render_portrait(1, 2, 128, 128))
    (dark, mask), (bright, same_mask) = pictures
    np.testing.assert_array_equal(mask, same_mask)
    changed = (bright.astype(int) - dark.astype(int)).mean(2) / 255
    assert (changed[mask == 0] >= 0.5 - 0.01).all()
    assert (changed[mask == 1] <= 0.5 + 0.01).all()
    # All but the pixels on the outline belong wholly to one side.
    assert ((changed > 0.01) & (changed < 0.99)).mean() < 0.06


def test_brightness_does_not_separate_person_and_background() -> None:
    gaps = [image[mask == 1].mean() - image[mask == 0].mean() for image, mask in _MANY]
    assert min(gaps) < -20
    assert max(gaps) > 20


def test_source_has_disjoint_splits_of_the_wanted_number() -> None:
    source = open_source("synthetic:10", seed=1, size=(64, 48))
    assert (len(source.train), len(source.validation)) == (8, 2)
    assert source.classes == ("background", "person")
    image, mask = source.train[0]
    assert image.dtype == torch.float32
    assert image.shape == (3, 64, 48)
    assert 0 <= image.min() < image.max() <= 1
    assert mask.dtype == torch.int64
    assert not torch.equal(image, source.validation[0][0])


def test_pairs_are_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    portraits = SyntheticPortraits(2, size=(48, 48))
    first = portraits[1][0]
    monkeypatch.setattr(SyntheticPortraits, "make", None)
    torch.testing.assert_close(portraits[1][0], first)
    with pytest.raises(IndexError):
        portraits[2]


def test_every_part_depends_on_the_seed() -> None:
    first, second = (open_source("synthetic:5", seed=seed, size=(48, 48)) for seed in (0, 1))
    parts = ((source.train, source.validation, source.test) for source in (first, second))
    assert not any(torch.equal(mine[0][0], other[0][0]) for mine, other in zip(*parts, strict=True))


def test_more_portraits_keep_the_earlier_ones() -> None:
    few, many = open_source("synthetic:5", size=(48, 48)), open_source("synthetic:20", size=(48, 48))
    torch.testing.assert_close(few.train[1][0], many.train[1][0])
    torch.testing.assert_close(few.validation[0][0], many.validation[0][0])


def test_too_few_or_too_small() -> None:
    with pytest.raises(UserError, match="number of synthetic portraits: got 1; expected at least 2"):
        open_source("synthetic:1")
    with pytest.raises(UserError, match="at least 32 pixels"):
        open_source("synthetic:4", size=(16, 64))
