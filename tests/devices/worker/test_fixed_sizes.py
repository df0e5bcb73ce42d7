"""Models with dynamic dimensions on a device whose files have none."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from typing_extensions import override

from devices.device import Candidate
from devices.measurement import Measurement
from devices.model_file import sha256_of
from devices.worker.fixed_sizes import FixedSizesDevice
from foundation.errors import UserError
from latseg.testing.device_contract import FAST
from latseg.testing.nets import saved, small_net


class Fixed(FixedSizesDevice):
    """ONNX Runtime, which notes the sizes of what it converts."""

    name = "fixed"
    runtime = "devices.backends.ort.runtime:OnnxRuntime"
    package = "onnxruntime"
    install = "pip install onnxruntime"
    suffix = ".fixed"

    def __init__(self) -> None:
        super().__init__()
        self.sides: list[int] = []

    @override
    def convert(self, onnx_path: Path) -> Path:
        self.sides.append(onnx.load(onnx_path).graph.input[0].type.tensor_type.shape.dim[2].dim_value)
        return onnx_path


def image(side: int) -> dict[str, np.ndarray]:
    return {"image": np.zeros((1, 3, side, side), np.float32)}


def test_each_size_is_converted_once_in_a_row(tmp_path: Path) -> None:
    device, path = Fixed(), saved(small_net(size="side"), tmp_path / "dynamic.onnx")
    for side in (16, 24, 24, 16):
        assert device.infer(path, image(side))[0].shape == (1, 2, side, side)
    assert device.sides == [16, 24, 16]
    with pytest.raises(UserError, match="'image'"):
        device.infer(path, {})


def test_another_content_of_the_same_name_is_converted(tmp_path: Path) -> None:
    device, path = Fixed(), saved(small_net(size="side"), tmp_path / "net.onnx")
    device.infer(path, image(32))
    saved(small_net(), path)
    device.infer(path, image(32))
    assert device.sides == [32, 32]


def test_what_is_measured_has_the_hash_of_the_users_file(tmp_path: Path) -> None:
    device, path = Fixed(), saved(small_net(size="side"), tmp_path / "dynamic.onnx")
    candidate = Candidate("dynamic", path, (("image", (1, 3, 24, 24)),))
    (result,) = device.measure([candidate], nominal_reference_ms=1.0, protocol=FAST)
    assert isinstance(result, Measurement)
    assert result.model_sha256 == sha256_of(path)
    assert 24 in device.sides
    assert 0 not in device.sides


def test_its_own_files_are_taken_as_they_are(tmp_path: Path) -> None:
    device = Fixed()
    path = Path(shutil.copy(saved(small_net(), tmp_path / "small.onnx"), tmp_path / "small.fixed"))
    assert device.infer(path, image(32))[0].shape == (1, 2, 32, 32)
    assert device.sides == []
