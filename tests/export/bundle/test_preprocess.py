from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from export.bundle.examples import smooth_picture
from export.bundle.preprocess import (
    Placement,
    cut_out,
    fit,
    mask_image,
    normalise,
    place,
    spread,
)
from foundation.picture import Picture

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
sides = st.integers(1, 5000)


@given(sides, sides, st.integers(1, 600), st.integers(1, 600), st.sampled_from(["letterbox", "resize"]))
def test_placement_lies_inside(height: int, width: int, net_height: int, net_width: int, policy: str) -> None:
    at = place(height, width, net_height, net_width, policy)
    assert at.top >= 0
    assert at.left >= 0
    assert at.height >= 1
    assert at.width >= 1
    assert at.top + at.height <= net_height
    assert at.left + at.width <= net_width
    assert net_height == at.height or net_width == at.width


def test_letterbox_keeps_the_shape_and_resize_fills() -> None:
    assert place(100, 200, 64, 64, "letterbox") == Placement(16, 0, 32, 64)
    assert place(100, 200, 64, 64, "resize") == Placement(0, 0, 64, 64)
    assert place(3000, 20, 64, 64, "letterbox") == Placement(0, 31, 64, 1)


def test_border_is_zero_to_the_network() -> None:
    at = place(10, 40, 32, 32, "letterbox")
    image = normalise(fit(smooth_picture(10, 40, 0), at, 32, 32, MEAN), MEAN, STD)
    assert image.shape == (1, 3, 32, 32)
    assert image.dtype == np.float32
    assert np.abs(image[:, :, : at.top]).max() < 0.01
    assert np.abs(image[:, :, at.top : at.top + at.height]).max() > 0.1


def test_normalisation_by_hand() -> None:
    pixels = np.array([[[0, 128, 255]]], np.uint8)
    expected = [(0 - 0.485) / 0.229, (128 / 255 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    np.testing.assert_allclose(normalise(pixels, MEAN, STD)[0, :, 0, 0], expected, rtol=1e-5)


def plane_logits(*planes: np.ndarray) -> np.ndarray:
    return np.stack(planes)[None].astype(np.float32)


@settings(max_examples=25)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(2, 4), st.integers(0, 9))
def test_at_the_networks_own_size_spread_is_arg_max_and_softmax(h: int, w: int, classes: int, seed: int) -> None:
    logits = np.random.default_rng(seed).normal(0, 3, (1, classes, h, w)).astype(np.float32)
    result = spread(logits, Placement(0, 0, h, w), h, w)
    np.testing.assert_array_equal(result.labels, logits[0].argmax(0))
    shares = np.exp(logits[0]) / np.exp(logits[0]).sum(0)
    np.testing.assert_allclose(result.foreground, 1 - shares[0], atol=1e-4)


def test_border_does_not_leak_into_the_picture() -> None:
    person = np.full((32, 32), -9.0)
    at = Placement(8, 0, 16, 32)
    person[8:24] = 9.0
    result = spread(plane_logits(-person, person), at, 100, 200)
    assert result.labels.shape == (100, 200)
    assert result.labels.min() == 1


def test_edge_is_smooth_and_in_place() -> None:
    """A slanted edge, eight times enlarged: no stairs of eight pixels, and on average where it was."""
    rows, columns = np.mgrid[0:32, 0:32]
    logit = (columns - rows / 2 - 8.25) * 2.0
    labels = spread(plane_logits(-logit, logit), Placement(0, 0, 32, 32), 256, 256).labels
    edge = 256 - labels[16:-16].sum(1, dtype=int)
    assert np.abs(np.diff(edge)).max() <= 1
    expected = ((np.arange(16, 240) + 0.5) / 8 - 0.5) / 2 + 8.25
    np.testing.assert_allclose(edge, (expected + 0.5) * 8, atol=1.5)


def test_extreme_logits_stay_finite() -> None:
    huge = np.full((4, 4), 1e4)
    result = spread(plane_logits(-huge, huge, huge / 2), Placement(0, 0, 4, 4), 9, 9)
    assert result.foreground.min() == 1
    assert spread(plane_logits(huge, -huge), Placement(0, 0, 4, 4), 9, 9).foreground.max() == 0


def test_mask_values() -> None:
    labels = np.array([[0, 1, 1]], np.uint8)
    assert np.asarray(mask_image(labels, 2)).tolist() == [[0, 255, 255]]
    assert np.asarray(mask_image(labels * 3, 5)).tolist() == [[0, 3, 3]]
    assert mask_image(labels, 2).mode == "L"


def test_cut_out_keeps_what_was_transparent() -> None:
    picture = Picture(np.full((1, 2, 3), 9, np.uint8), np.array([[0, 255]], np.uint8))
    rgba = np.asarray(cut_out(picture, np.array([[1.0, 0.5]], np.float32)))
    assert rgba.tolist() == [[[9, 9, 9, 0], [9, 9, 9, 128]]]
