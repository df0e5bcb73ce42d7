from __future__ import annotations

import numpy as np
import pytest

from export.bundle.enlarge import Guide, bilinear
from export.bundle.examples import noise_picture, smooth_picture
from export.bundle.preprocess import Placement, spread_along_edges


def window(centre: int, size: int, radius: int) -> slice:
    return slice(max(0, centre - radius), min(size, centre + radius + 1))


def guided_by_hand(rgb: np.ndarray, plane: np.ndarray, radius: int) -> np.ndarray:
    """Ridge regressions in every window, then means of the functions; the picture has the size of the plane."""
    colours = rgb.astype(float) / 255
    height, width = plane.shape
    functions = np.empty((height, width, 4))
    for row in range(height):
        for column in range(width):
            at = window(row, height, radius), window(column, width, radius)
            x, y = colours[at].reshape(-1, 3), plane[at].ravel()
            together = np.cov(x.T, y, bias=True) if len(y) > 1 else np.zeros((4, 4))
            slope = np.linalg.solve(together[:3, :3] + 3e-4 * np.eye(3), together[:3, 3])
            functions[row, column] = (*slope, y.mean() - slope @ x.mean(0))
    means = np.array(
        [
            [functions[window(r, height, radius), window(c, width, radius)].mean((0, 1)) for c in range(width)]
            for r in range(height)
        ]
    )
    return (means[..., :3] * colours).sum(2) + means[..., 3]


@pytest.mark.parametrize(("height", "width", "radius"), [(20, 33, 1), (70, 64, 2), (3, 1, 1)])
def test_the_filter_is_that_of_the_paper(height: int, width: int, radius: int) -> None:
    rgb = smooth_picture(height, width, 1)
    plane = np.random.default_rng(2).random((height, width)).astype(np.float32)
    expected = guided_by_hand(rgb, plane, radius)
    np.testing.assert_allclose(Guide(rgb, height, width).enlarge(plane), expected, atol=1e-3)


@pytest.mark.parametrize("size", [(1, 1), (100, 250), (40, 7)])
def test_an_even_picture_guides_nowhere(size: tuple[int, int]) -> None:
    """The plane is averaged and enlarged; where it is one value it stays that."""
    rgb = np.full((*size, 3), 77, np.uint8)
    np.testing.assert_allclose(Guide(rgb, 8, 8).enlarge(np.full((8, 8), 0.3, np.float32)), 0.3, atol=1e-5)
    plane = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    enlarged = Guide(rgb, 8, 8).enlarge(plane)
    assert enlarged.shape == size
    assert 0 <= enlarged.min() <= enlarged.max() <= 1


def test_more_rows_than_are_done_at_once() -> None:
    """Offsets alone, as an even picture has them, are enlarged as Pillow does it."""
    plane = np.random.default_rng(0).random((16, 16)).astype(np.float32)
    small = Guide(np.full((16, 16, 3), 9, np.uint8), 16, 16).enlarge(plane)
    large = Guide(np.full((150, 90, 3), 9, np.uint8), 16, 16).enlarge(plane)
    np.testing.assert_allclose(large, bilinear(small, 150, 90), atol=1e-5)


def test_a_blurred_edge_becomes_that_of_the_picture() -> None:
    rgb = np.zeros((256, 256, 3), np.uint8)
    rgb[:, 131:] = (200, 60, 90)
    logit = np.tile((np.arange(32, dtype=np.float32) - 15.5) / 4, (32, 1))  # unsure, and 3 pixels off
    result = spread_along_edges(np.stack([-logit, logit])[None], Placement(0, 0, 32, 32), rgb)
    np.testing.assert_array_equal(result.labels[:, 120:140], np.tile(np.arange(120, 140) >= 131, (256, 1)))


@pytest.mark.parametrize("classes", [2, 4])
def test_labels_are_the_most_probable_classes(classes: int) -> None:
    logits = np.random.default_rng(3).normal(0, 5, (1, classes, 24, 32)).astype(np.float32)
    rgb = noise_picture(60, 70, 4)
    result = spread_along_edges(logits, Placement(4, 0, 16, 32), rgb)
    inner = np.exp(logits[0, :, 4:20])
    guide = Guide(rgb, 16, 32)
    shares = np.stack([guide.enlarge(share) for share in inner / inner.sum(0)])
    certain = np.diff(np.sort(shares, axis=0)[-2:], axis=0)[0] > 1e-3
    assert certain.mean() > 0.9
    np.testing.assert_array_equal(result.labels[certain], shares.argmax(0)[certain])
    np.testing.assert_allclose(result.foreground, np.clip(1 - shares[0], 0, 1), atol=1e-3)


def test_extreme_logits_stay_finite() -> None:
    huge = np.full((4, 4), 1e4, np.float32)
    result = spread_along_edges(np.stack([-huge, huge])[None], Placement(0, 0, 4, 4), smooth_picture(9, 9, 0))
    np.testing.assert_allclose(result.foreground, 1, atol=1e-5)
