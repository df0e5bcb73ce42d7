"""Training, bundles and a bundle's own script treat a picture alike."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

from export.bundle.preprocess import fit, normalise, place
from export.bundle.texts import segment_script
from export.to_onnx_uint8 import Uint8Network
from foundation.picture import read_picture
from segmentation.data.folder_pairs import FolderPairs
from segmentation.data.mask_convention import mask_convention
from segmentation.normalisation import MEAN, STD
from segmentation.normalisation import normalise as normalise_for_training

_GREY = np.linspace(0, 1, 600).reshape(20, 30)
_PICTURES = {
    "float.tif": _GREY.astype(np.float32),
    "sixteen.png": (_GREY * 65535).astype(np.uint16),
    "dark.tif": (_GREY * 200).astype(np.int32),
    "colour.png": np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8),
    "clear.png": np.random.default_rng(1).integers(0, 256, (20, 30, 4), dtype=np.uint8),
}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """What a bundle's ``segment.py`` defines."""
    module = ModuleType("segment")
    module.__file__ = "segment.py"
    sys.modules["segment"] = module  # dataclasses look their module up
    exec(segment_script(), module.__dict__)
    return module


@pytest.mark.parametrize("name", _PICTURES)
@pytest.mark.parametrize("size", [(20, 30), (16, 16)])
def test_one_network_input_for_training_bundle_and_script(
    tmp_path: Path, script: ModuleType, name: str, size: tuple[int, int]
) -> None:
    path = tmp_path / name
    Image.fromarray(_PICTURES[name]).save(path)
    Image.new("L", (30, 20)).save(tmp_path / "mask.png")
    mask = tmp_path / "mask.png"
    pairs = FolderPairs([(path, mask)], mask_convention([mask], 2), size=size)
    trained = normalise_for_training(pairs[0][0])[None].numpy()
    rgb = read_picture(path).rgb
    pixels = fit(rgb, place(*rgb.shape[:2], *size, "resize"), *size, MEAN)
    np.testing.assert_allclose(normalise(pixels, MEAN, STD), trained, atol=1e-5)
    theirs = script.read_picture(path).rgb
    theirs = script.fit(theirs, script.place(*theirs.shape[:2], *size, "resize"), *size, MEAN)
    np.testing.assert_array_equal(theirs, pixels)


def test_normalisation_inside_the_graph_is_the_same() -> None:
    class Sum(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            self.seen = images
            return images

    inner = Sum()
    pixels = _PICTURES["colour.png"]
    Uint8Network(inner, MEAN, STD)(torch.from_numpy(pixels)[None])
    np.testing.assert_allclose(inner.seen.numpy(), normalise(pixels, MEAN, STD), atol=1e-5)
