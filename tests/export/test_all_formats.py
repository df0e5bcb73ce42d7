"""One bundle in every format that can be written here: each file is run by its runtime, and the masks are equal."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from devices.installations.registry import INSTALLATIONS
from devices.registry import get_device
from export.bundle.manifest import Manifest
from export.bundle.segment import Segmenter
from export.bundle.verify import verify_bundle
from export.registry import EXPORTERS

FORMATS = [name for name in EXPORTERS.builtin if EXPORTERS.get(name)().availability().available]
LIGHT = [name for name in FORMATS if name not in INSTALLATIONS.builtin]
MOST_UNEQUAL = 1e-3
"""Share of the pixels; rounding decides between two classes that are equally likely."""


@pytest.fixture
def photographs(tmp_path: Path) -> list[Path]:
    """Upright, and lying."""
    paths = []
    for number, size in enumerate([(48, 30), (30, 48)]):
        paths.append(tmp_path / f"{number}.png")
        pixels = np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((size[1] * 2, size[0] * 2)).save(paths[-1])
    return paths


@pytest.mark.parametrize("formats", [LIGHT, pytest.param(FORMATS, marks=pytest.mark.targets)], ids=["light", "all"])
def test_every_format_gives_the_same_masks(
    make_bundle: Callable[..., Manifest], tmp_path: Path, photographs: list[Path], formats: list[str]
) -> None:
    manifest = make_bundle(formats=formats, get_device=get_device, certificates=())
    files = {file.format: file for file in manifest.models}
    assert set(files) == set(formats)
    assert all(file.executed for file in files.values())
    checks = {check.name: check.ok for check in verify_bundle(tmp_path / "bundle", measure=False).checks}
    assert all(checks[f"parity of {file.path} ({file.format})"] for file in files.values())
    of_logits = [name for name, file in files.items() if file.input == "tensors"]  # the others have a parity check
    for photograph in photographs:
        masks = {
            name: np.asarray(
                Image.open(
                    Segmenter(tmp_path / "bundle", file_format=name)
                    .segment_file(photograph, tmp_path / f"{name}-{photograph.stem}")
                    .mask
                )
            )
            for name in of_logits
        }
        assert 0 < np.mean(masks["onnx"] > 0) < 1
        for name, mask in masks.items():
            assert np.mean(mask != masks["onnx"]) <= MOST_UNEQUAL, name
