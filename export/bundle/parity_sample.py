"""Pictures for parity checks, and the one that a bundle carries with torch's answer to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from export.bundle.preprocess import Floats, Pixels
from foundation.errors import UserError

SAMPLE_NAME = "parity.safetensors"


@dataclass(frozen=True, slots=True)
class ParitySample:
    """``image`` uint8 1 x height x width x 3 and torch's ``logits`` float32 1 x classes x height x width."""

    image: Pixels
    logits: Floats


def noise_picture(height: int, width: int, seed: int) -> Pixels:
    """Independent random pixels, height x width x 3."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth_picture(height: int, width: int, seed: int) -> Pixels:
    """Soft blobs of colour with a little noise, height x width x 3: spectrum and range of a photograph."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j][:, :, :, None]
    values: NDArray[np.float64] = np.full((height, width, 3), 0.4)
    for _ in range(12):
        row, column, size = random.uniform(-0.1, 1.1), random.uniform(-0.1, 1.1), random.uniform(0.05, 0.4)
        blob = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * size**2))
        values += blob * random.uniform(-0.5, 0.5, 3)
    values += random.normal(0, 0.01, values.shape)
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def write_sample(folder: Path, sample: ParitySample) -> Path:
    """Writes the sample into a bundle."""
    path = folder / SAMPLE_NAME
    path.write_bytes(save({"image": sample.image, "logits": np.ascontiguousarray(sample.logits)}))
    return path


def read_sample(folder: Path) -> ParitySample:
    """The sample of the bundle in ``folder``.

    Raises:
        UserError: missing or not such a file.
    """
    path = folder / SAMPLE_NAME
    try:
        tensors = load(path.read_bytes())
        sample = ParitySample(tensors["image"], tensors["logits"])
    except (OSError, SafetensorError, KeyError) as error:
        raise UserError(
            "parity sample", seen=path, expected="the file that export wrote", remedy="export the bundle again"
        ) from error
    return sample
