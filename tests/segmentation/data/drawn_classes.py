"""Small sets of classified pictures: the colour says the class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

COLOURS = {"blue": (40, 40, 220), "green": (40, 200, 40), "red": (220, 40, 40)}


def class_folders(folder: Path, *, count: int = 5) -> Path:
    """``count`` pictures in a folder of each of ``COLOURS``."""
    rng = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            noise = rng.integers(-30, 30, (40, 30, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def digits(count: int, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """``X`` and ``y`` of a file of SVHN: every digit in turns, 10 for 0; its brightness says which it is."""
    y = np.arange(count) % 10 + 1
    noise = np.random.default_rng(seed).integers(0, 10, (32, 32, 3, count))
    return (20 * y + noise).astype(np.uint8), y.reshape(-1, 1).astype(np.uint8)


def svhn(folder: Path, *, train: int = 40, test: int = 10) -> Path:
    """``train_32x32.mat`` and ``test_32x32.mat``."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, count) in enumerate((("train", train), ("test", test))):
        x, y = digits(count, seed)
        savemat(folder / f"{name}_32x32.mat", {"X": x, "y": y}, do_compression=True)
    return folder
