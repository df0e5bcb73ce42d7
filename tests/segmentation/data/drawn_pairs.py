"""Folders of drawn pairs: an ellipse as the person, in masks of any convention."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

HEIGHT, WIDTH = 48, 36
SIZE = HEIGHT, WIDTH
COUNT = 6

Array = npt.NDArray[np.uint8]
Save = Callable[[Array, Path], object]
"""Saves a mask of 0 (background), 1 (person) and 255 (contour) at a path."""


def drawn(number: int) -> tuple[Array, Array]:
    """A photograph (height x width x 3) and its mask: 1 in an ellipse, 255 on its contour, 0 elsewhere."""
    noise = np.random.default_rng(number).integers(0, 60, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    mask = Image.new("L", (WIDTH, HEIGHT))
    ImageDraw.Draw(mask).ellipse((6 + number % 3, 6, 26, 38 + number % 4), fill=1, outline=255)
    values = np.asarray(mask)
    return noise + np.uint8(120) * (values[..., None] > 0), values


def folder_of(path: Path, save: Save, *, ending: str = "png", count: int = COUNT) -> Path:
    """``images`` and ``masks`` of this many pairs below ``path``."""
    for part in ("images", "masks"):
        (path / part).mkdir(parents=True)
    for number in range(count):
        picture, mask = drawn(number)
        Image.fromarray(picture).save(path / "images" / f"p{number}.png")
        save(mask, path / "masks" / f"p{number}.{ending}")
    return path


def grey(**levels: int) -> Save:
    """Saves a mask as grey levels ``background``, ``person`` and ``contour`` (by default that of the person)."""
    contour = levels.get("contour", levels["person"])

    def save(mask: Array, path: Path) -> None:
        choices = np.where(mask == 0, levels["background"], np.where(mask == 1, levels["person"], contour))
        Image.fromarray(choices.astype(np.uint16 if max(levels.values()) > 255 else np.uint8)).save(path)

    return save


def person(mask: Array) -> Array:
    """1 for the person and its contour."""
    return (mask > 0).astype(np.uint8)
