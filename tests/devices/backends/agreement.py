"""Small models, and whether a device computes what ONNX Runtime computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.parser
from numpy.typing import NDArray

from devices.backends.ort.device import CpuDevice
from devices.device import Device
from latency.operators.operator import OperatorGraph
from latency.operators.synthesize import single_operator, to_model
from latseg.testing.nets import saved

ONNX_RUNTIME = CpuDevice()
Feeds = dict[str, NDArray[np.generic]]


def parsed(body: str, path: Path, opset: int = 17) -> Path:
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]> g {body}')
    onnx.checker.check_model(model)
    return saved(model, path)


def both(device: Device, path: Path, feeds: Feeds) -> list[tuple[NDArray[np.generic], NDArray[np.generic]]]:
    """Each output beside that of ONNX Runtime."""
    return list(zip(device.infer(path, feeds), ONNX_RUNTIME.infer(path, feeds), strict=True))


def check_agreement(device: Device, path: Path, feeds: Feeds, tolerance: float = 1e-4) -> None:
    """``tolerance`` is in parts of an output's largest number."""
    for seen, expected in both(device, path, feeds):
        assert seen.shape == expected.shape
        atol = tolerance * float(np.abs(expected.astype(np.float64)).max())
        np.testing.assert_allclose(seen.astype(np.float64), expected.astype(np.float64), rtol=0, atol=atol)


def check_net_and_operators(device: Device, graph: OperatorGraph, folder: Path, tolerance: float = 1e-4) -> None:
    """A net as a whole, and each form of its operators alone."""
    operators = {(operator.kind, operator.attributes): operator for operator in graph.operators}
    for net in (graph, *map(single_operator, operators.values())):
        path = saved(to_model(net), folder / "net.onnx")
        names = [value.name for value in onnx.load(path).graph.input]
        feeds: Feeds = {name: image(*shape) for name, shape in zip(names, net.input_shapes, strict=True)}
        check_agreement(device, path, feeds, tolerance)


def image(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def resize(path: Path, mode: str, rule: str, more: str = "", sides: str = "14, 9", opset: int = 17) -> Path:
    attributes = f'mode = "{mode}", coordinate_transformation_mode = "{rule}"{more}'
    body = f"(float[1, 5, 7, 6] x) => (float[1, 5, {sides}] y) <int64[4] sides = {{1, 5, {sides}}}>"
    return parsed(f"{body} {{ y = Resize<{attributes}>(x, , , sides) }}", path, opset)
