"""Examples for parity checks, and the one that a bundle carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from export.bundle.manifest import InputLayout, Manifest, Normalisation
from export.bundle.preprocess import fit, normalise, place
from export.parity import Array, Example, torch_outputs
from export.source import INPUT_NAME, Source
from foundation.errors import UserError
from foundation.picture import Pixels
from foundation.regular_file import read_regular

EXAMPLE_NAME = "parity.safetensors"
_EXAMPLE_BYTES = 256 * 2**20


def make_examples(source: Source, *, dynamic: bool = False) -> list[Example]:
    """Examples with torch's outputs; the bundle carries the first one.

    For a segmentation network: a smooth picture, noise, and the photographs. ``dynamic`` adds the smooth picture and
    the photographs at other sizes (``other_sizes``). For another network: its example inputs.
    """
    if source.pictures is None:
        inputs = {name: tensor.detach().cpu().numpy() for name, tensor in source.inputs.items()}
        return [Example(inputs, torch_outputs(source.module, inputs))]
    smooth, *photographs = (_pictured(source, picture) for picture in _natural_pictures(source, source.size))
    noise = replace(_pictured(source, noise_picture(*source.size, source.seed)), natural=False)
    sizes = other_sizes(*source.size) if dynamic else []
    others = [_pictured(source, picture) for size in sizes for picture in _natural_pictures(source, size)]
    return [smooth, noise, *photographs, *others]


def other_sizes(height: int, width: int) -> list[tuple[int, int]]:
    """Twice as high, twice as wide, and square: sizes that a network's strides divide where they divide its own."""
    square = min(height, width)
    sizes = [(2 * height, width), (height, 2 * width), (square, square)]
    return [size for size in sizes if size != (height, width)]


def natural_inputs(source: Source) -> list[Mapping[str, Array]]:
    """Inputs of a segmentation network as it meets them: a smooth picture, and the photographs."""
    pictures = source.pictures
    assert pictures is not None
    return [_inputs(picture, pictures.normalisation) for picture in _natural_pictures(source, source.size)]


def _natural_pictures(source: Source, size: tuple[int, int]) -> list[Pixels]:
    photographs = [_fitted(source, photograph, size) for photograph in source.photographs]
    return [smooth_picture(*size, source.seed), *photographs]


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


def write_example(folder: Path, example: Example) -> Path:
    """Writes the example into a bundle: ``image`` and ``logits`` of a segmentation network, else ``input.NAME`` and
    ``output.NUMBER``.
    """
    path = folder / EXAMPLE_NAME
    if example.pixels is not None:
        tensors = {"image": example.pixels, "logits": example.outputs[0]}
    else:
        tensors = {f"input.{name}": array for name, array in example.inputs.items()}
        tensors |= {f"output.{number}": array for number, array in enumerate(example.outputs)}
    path.write_bytes(save({name: np.ascontiguousarray(array) for name, array in tensors.items()}))
    return path


def read_example(folder: Path, manifest: Manifest) -> Example:
    """The example of the bundle in ``folder``.

    Raises:
        UserError: missing or not such a file.
    """
    path = folder / EXAMPLE_NAME
    try:
        tensors = load(read_regular(path, limit=_EXAMPLE_BYTES, follow_links=False))
        if manifest.input is not None:
            return _pictured_example(tensors, manifest.input, len(manifest.classes))
        inputs = {layout.name: tensors[f"input.{layout.name}"] for layout in manifest.inputs}
        outputs = [name for name in tensors if name.startswith("output.")]
        return Example(inputs, tuple(tensors[f"output.{number}"] for number in range(len(outputs))))
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise UserError(
            "parity sample", seen=path, expected="the file that export wrote", remedy="export the bundle again"
        ) from error


def _pictured_example(tensors: Mapping[str, Array], layout: InputLayout, classes: int) -> Example:
    """Raises ``ValueError`` where shapes or types are not those of the manifest."""
    pixels, logits = tensors["image"], tensors["logits"]
    sides = layout.height, layout.width
    if pixels.dtype != np.uint8 or pixels.shape != (1, *sides, 3) or logits.shape != (1, classes, *sides):
        raise ValueError("not the picture and the logits of this network")
    picture = pixels.astype(np.uint8)
    return Example(_inputs(picture[0], layout.normalisation), (logits,), picture)


def _pictured(source: Source, picture: Pixels) -> Example:
    assert source.pictures is not None
    inputs = _inputs(picture, source.pictures.normalisation)
    return Example(inputs, torch_outputs(source.module, inputs), picture[None])


def _inputs(picture: Pixels, normalisation: Normalisation) -> Mapping[str, Array]:
    return {INPUT_NAME: normalise(picture, normalisation.mean, normalisation.std)}


def _fitted(source: Source, photograph: Pixels, size: tuple[int, int]) -> Pixels:
    assert source.pictures is not None
    height, width, _ = photograph.shape
    placement = place(height, width, *size, source.pictures.resize_policy)
    return fit(photograph, placement, *size, source.pictures.normalisation.mean)
