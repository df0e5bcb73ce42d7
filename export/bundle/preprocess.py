"""From a picture to a network's input and from its logits back to a mask and a cut-out of the picture's size.

Needs numpy and Pillow only: the text of this file, behind those of ``foundation/picture.py`` and ``enlarge.py``, is
also part of a bundle's ``segment.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from export.bundle.enlarge import Floats, Guide, bilinear
from foundation.picture import Picture, Pixels


@dataclass(frozen=True)
class Placement:
    """Where the picture lies in the network's input, in pixels."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class Segmentation:
    """Class numbers and foreground probability, both height x width of the picture."""

    labels: Pixels
    foreground: Floats


def place(height: int, width: int, net_height: int, net_width: int, policy: str) -> Placement:
    """``resize`` fills the input and distorts; ``letterbox`` keeps the picture's shape, in the middle."""
    if policy == "resize":
        return Placement(0, 0, net_height, net_width)
    scale = min(net_height / height, net_width / width)
    inner_height = min(net_height, max(1, round(height * scale)))
    inner_width = min(net_width, max(1, round(width * scale)))
    return Placement((net_height - inner_height) // 2, (net_width - inner_width) // 2, inner_height, inner_width)


def fit(rgb: Pixels, placement: Placement, net_height: int, net_width: int, mean: tuple[float, ...]) -> Pixels:
    """The picture at its placement, net_height x net_width x 3, on the mean colour (zero to the network)."""
    canvas = np.empty((net_height, net_width, 3), np.uint8)
    canvas[:] = np.rint(np.asarray(mean) * 255)
    inner = Image.fromarray(rgb).resize((placement.width, placement.height), Image.Resampling.BILINEAR)
    rows, columns = window(placement)
    canvas[rows, columns] = np.asarray(inner)
    return canvas


def normalise(pixels: Pixels, mean: tuple[float, ...], std: tuple[float, ...]) -> Floats:
    """(x / 255 - mean) / std, height x width x 3 to 1 x 3 x height x width."""
    shares = pixels.astype(np.float32) / np.float32(255)
    values = (shares - np.asarray(mean, np.float32)) / np.asarray(std, np.float32)
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def spread(logits: Floats, placement: Placement, height: int, width: int) -> Segmentation:
    """Logits 1 x classes x net height x net width to a segmentation of height x width.

    Logits are resized before the arg-max, which keeps edges smooth. Class by class, relative to class 0 (background),
    so that a large picture with many classes needs the memory of a few planes.
    """
    rows, columns = window(placement)
    inner = logits[0][:, rows, columns].astype(np.float32)
    labels = np.zeros((height, width), np.uint8)
    best = np.zeros((height, width), np.float32)
    foreground = np.full((height, width), -np.inf, np.float32)
    for label in range(1, len(inner)):
        margin = bilinear(inner[label] - inner[0], height, width)
        higher = margin > best
        labels[higher] = label
        np.maximum(best, margin, out=best)
        np.logaddexp(foreground, margin, out=foreground)
    return Segmentation(labels, _sigmoid(foreground))


def spread_along_edges(logits: Floats, placement: Placement, rgb: Pixels) -> Segmentation:
    """As ``spread``, to the size of the picture and along its edges: probabilities are what is enlarged (``Guide``)."""
    rows, columns = window(placement)
    inner = logits[0][:, rows, columns].astype(np.float32)
    shares = np.exp(inner - inner.max(0))
    shares /= shares.sum(0)
    guide = Guide(rgb, placement.height, placement.width)
    labels = np.zeros(rgb.shape[:2], np.uint8)
    best = np.full(rgb.shape[:2], -np.inf, np.float32)
    foreground = np.zeros(rgb.shape[:2], np.float32)
    for label in range(1, len(shares)):
        share = guide.enlarge(shares[label])
        labels[share > best] = label
        np.maximum(best, share, out=best)
        foreground += share
    labels[1 - foreground >= best] = 0
    return Segmentation(labels, np.clip(foreground, 0, 1))


def mask_image(labels: Pixels, classes: int) -> Image.Image:
    """Grey picture: 0 and 255 for two classes, class numbers for more."""
    return Image.fromarray(labels * np.uint8(255) if classes == 2 else labels)


def cut_out(picture: Picture, foreground: Floats) -> Image.Image:
    """The picture with the foreground's probability as opacity, times the opacity that it had."""
    opacity = foreground * (255 if picture.opacity is None else picture.opacity.astype(np.float32))
    return Image.fromarray(np.dstack([picture.rgb, np.rint(opacity).astype(np.uint8)]))


def window(placement: Placement) -> tuple[slice, slice]:
    """Rows and columns of the network's input in which the picture lies."""
    return (
        slice(placement.top, placement.top + placement.height),
        slice(placement.left, placement.left + placement.width),
    )


def _sigmoid(values: Floats) -> Floats:
    half = np.float32(0.5)
    shares: Floats = half + half * np.tanh(values * half)
    return shares
