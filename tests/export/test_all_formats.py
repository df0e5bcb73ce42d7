"""One bundle in every format that can be written here: each file is run by its runtime, and the masks are equal."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image
from torch import nn

from devices.registry import get_device
from devices.worker.device import ProcessDevice
from export.bundle.examples import smooth_picture
from export.bundle.manifest import Manifest
from export.bundle.segment import Segmenter
from export.bundle.verify import verify_bundle
from export.bundle.write import write_bundle
from export.registry import EXPORTERS
from tests.export.conftest import NEED_INSTALLATION, segmentation_source

FORMATS = [
    name
    for name in EXPORTERS.builtin
    if EXPORTERS.get(name).precision == "float32" and EXPORTERS.get(name)().availability().available
]
MOST_UNEQUAL = 1e-3
"""Share of the pixels; rounding decides between two classes that are equally likely."""


kept_device = cache(get_device)
"""Its worker process serves all tests of this module."""


@pytest.fixture(autouse=True)
def _no_footprints(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are taken in a new process for each file."""
    monkeypatch.setattr(ProcessDevice, "footprint", lambda *_: None)


@pytest.fixture
def photographs(tmp_path: Path) -> list[Path]:
    """Upright, and lying."""
    paths = []
    for number, size in enumerate([(48, 30), (30, 48)]):
        paths.append(tmp_path / f"{number}.png")
        pixels = np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((size[1] * 2, size[0] * 2)).save(paths[-1])
    return paths


@pytest.mark.parametrize(
    "formats",
    [
        [name for name in FORMATS if name not in NEED_INSTALLATION],
        pytest.param(
            FORMATS,
            marks=[
                pytest.mark.targets,
                pytest.mark.skipif(NEED_INSTALLATION.isdisjoint(FORMATS), reason="needs what `latseg install` brings"),
            ],
        ),
    ],
    ids=["light", "all"],
)
def test_every_format_gives_the_same_masks(
    make_bundle: Callable[..., Manifest], tmp_path: Path, photographs: list[Path], formats: list[str]
) -> None:
    manifest = make_bundle(formats=formats, get_device=kept_device, certificates=())
    files, folder = {file.format: file for file in manifest.models}, tmp_path / "bundle"
    assert set(files) == set(formats)
    assert all(file.executed for file in files.values())
    checks = {check.name: check.ok for check in verify_bundle(folder, measure=False, get_device=kept_device).checks}
    assert all(checks[f"parity of {file.path} ({file.format})"] for file in files.values())
    of_logits = [name for name, file in files.items() if file.input == "tensors"]  # the others have a parity check
    for photograph in photographs:
        masks = {
            name: np.asarray(
                Image.open(
                    Segmenter(folder, device=kept_device(files[name].device), file_format=name)
                    .segment_file(photograph, tmp_path / f"{name}-{photograph.stem}")
                    .mask
                )
            )
            for name in of_logits
        }
        assert 0 < np.mean(masks["onnx"] > 0) < 1
        for name, mask in masks.items():
            assert np.mean(mask != masks["onnx"]) <= MOST_UNEQUAL, name


class Enlarging(nn.Module):
    """Halves a picture and enlarges the logits again."""

    def __init__(self, align_corners: bool) -> None:
        super().__init__()
        self.net = nn.Conv2d(3, 2, 3, 2, 1)
        self.align_corners = align_corners

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return F.interpolate(self.net(image), size=image.shape[2:], mode="bilinear", align_corners=self.align_corners)


@pytest.mark.parametrize("size", [(32, 32), (24, 40)], ids=["square", "rectangular"])
@pytest.mark.parametrize("align_corners", [False, True])
def test_both_conventions_of_resizing(tmp_path: Path, align_corners: bool, size: tuple[int, int]) -> None:
    """Each runtime computes what torch does; a converter that cannot refuses."""
    torch.manual_seed(1)
    source = segmentation_source(
        Enlarging(align_corners), photographs=[smooth_picture(40, 30, 2)], inputs={"image": torch.zeros(1, 3, *size)}
    )
    formats = [name for name in FORMATS if name not in NEED_INSTALLATION]
    folder, known = tmp_path / "bundle", {"architecture": {"space": "other"}, "parameters": 56}
    manifest = write_bundle(folder, source, formats=formats, get_device=kept_device, **known)
    (resize,) = [node for node in onnx.load(folder / "model.onnx").graph.node if node.op_type == "Resize"]
    convention = next(a.s for a in resize.attribute if a.name == "coordinate_transformation_mode")
    assert convention in ({b"align_corners"} if align_corners else {b"half_pixel", b"pytorch_half_pixel"})
    assert {file.format for file in manifest.models if file.executed} == set(formats)
    assert len(manifest.file("onnx-dynamic").parity_by_size) == (3 if size[0] == size[1] else 4)
