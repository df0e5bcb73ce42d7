"""A bundle of a network that does not segment pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from export.bundle.examples import read_example
from export.bundle.manifest import Manifest, Quality, read_manifest
from export.bundle.segment import Segmenter
from export.bundle.verify import verify_bundle
from export.bundle.write import write_bundle
from export.source import Source
from export.to_onnx import export_module
from foundation.errors import UserError
from latseg.testing.exporter_contract import pair_source, segmentation_source
from tests.export.conftest import certificate_for, runtime_device


def write(folder: Path, source: Source, **settings: object) -> Manifest:
    defaults = {
        "architecture": {"space": "pairs", "choices": {}},
        "parameters": 35,
        "quality": [Quality(metric="accuracy", value=0.9, data="pairs, 7 examples")],
        "get_device": runtime_device,
    }
    return write_bundle(folder / "bundle", source, **{**defaults, **settings})


@pytest.fixture
def source(tmp_path: Path) -> Source:
    source = pair_source()
    path = export_module(source.module, tmp_path / "measured.onnx", source.inputs)
    return replace(source, model_path=path)


def test_it_is_written_and_verified(source: Source, tmp_path: Path) -> None:
    assert source.model_path is not None
    manifest = write(tmp_path, source, certificates=[certificate_for(source.model_path)], formats=["openvino"])
    folder = tmp_path / "bundle"
    assert read_manifest(folder) == manifest
    assert {path.name for path in folder.iterdir()} == {
        "model.onnx", "parity.safetensors", "README.md", "manifest.json",
    }  # fmt: skip
    assert (manifest.input, manifest.classes, manifest.task) == (None, (), {"task": "pairs"})
    assert [(one.name, one.dtype, one.shape) for one in manifest.inputs] == [
        ("values", "float32", (7, 4)), ("kinds", "int64", (7,)),
    ]  # fmt: skip
    file = manifest.file("onnx")
    assert file.executed
    assert file.parity_mask_iou is None
    assert file.parity_max_abs is not None
    assert file.parity_max_abs < 1e-5
    result = verify_bundle(folder, get_device=runtime_device)
    assert result.ok, result.checks


def test_readme_names_the_inputs(source: Source, tmp_path: Path) -> None:
    write(tmp_path, source)
    text = (tmp_path / "bundle" / "README.md").read_text()
    for words in ("# Pairs, 35 parameters", "- `values`, float32 7 x 4", "- `kinds`, int64 7", "accuracy: 0.9000"):
        assert words in text
    assert "segment.py" not in text


def test_the_example_keeps_every_input_and_output(source: Source, tmp_path: Path) -> None:
    manifest = write(tmp_path, source)
    example = read_example(tmp_path / "bundle", manifest)
    for name, tensor in source.inputs.items():
        np.testing.assert_array_equal(example.inputs[name], tensor.numpy())
    with torch.no_grad():
        outputs = source.module(*source.inputs.values())
    for stored, output in zip(example.outputs, outputs, strict=True):
        np.testing.assert_array_equal(stored, output.numpy())


def test_a_file_of_another_network_is_refused(source: Source, tmp_path: Path) -> None:
    other = replace(pair_source(1), model_path=source.model_path)
    with pytest.raises(UserError, match="the file is not of this network"):
        write(tmp_path, other)


def test_it_does_not_segment(source: Source, tmp_path: Path) -> None:
    write(tmp_path, source)
    with pytest.raises(UserError, match="got a network with the inputs values, kinds; expected a segmentation network"):
        Segmenter(tmp_path / "bundle")


@pytest.mark.parametrize(
    "inputs",
    [{"picture": torch.zeros(1, 3, 8, 8)}, {"image": torch.zeros(1, 1, 8, 8)}, {"image": torch.zeros(3, 8, 8)}],
)
def test_a_segmentation_network_takes_one_image(inputs: dict[str, torch.Tensor]) -> None:
    source = segmentation_source()
    with pytest.raises(UserError, match="expected image, 1 x 3 x height x width"):
        _ = Source(source.module, inputs, source.description).pictures
