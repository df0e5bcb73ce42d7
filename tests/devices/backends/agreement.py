"""Small models, and whether a device computes what ONNX Runtime computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.parser
from numpy.typing import NDArray

from devices.backends.ort.device import CpuDevice
from devices.device import Device
from latseg.testing.nets import saved

ONNX_RUNTIME = CpuDevice()
Feeds = dict[str, NDArray[np.generic]]


def parsed(body: str, path: Path, opset: int = 17) -> Path:
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]> g {body}')
    onnx.checker.check_model(model)
    return saved(model, path)


def check_agreement(device: Device, path: Path, feeds: Feeds) -> None:
    for seen, expected in zip(device.infer(path, feeds), ONNX_RUNTIME.infer(path, feeds), strict=True):
        assert seen.shape == expected.shape
        largest = float(np.abs(expected.astype(np.float64)).max())
        np.testing.assert_allclose(seen.astype(np.float64), expected.astype(np.float64), rtol=0, atol=1e-4 * largest)


def image(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def resize(path: Path, mode: str, rule: str, more: str = "", sides: str = "14, 9", opset: int = 17) -> Path:
    attributes = f'mode = "{mode}", coordinate_transformation_mode = "{rule}"{more}'
    body = f"(float[1, 5, 7, 6] x) => (float[1, 5, {sides}] y) <int64[4] sides = {{1, 5, {sides}}}>"
    return parsed(f"{body} {{ y = Resize<{attributes}>(x, , , sides) }}", path, opset)
