from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from foundation.errors import UserError
from latseg.model_shapes import shapes_of


@pytest.fixture
def models(tmp_path: Path) -> list[Path]:
    paths = []
    for name in ("image", "x"):
        signature = f"(float[1, 3, h, w] {name}) => (float[1, 3, h, w] y)"
        text = f'<ir_version: 8, opset_import: ["" : 17]> g {signature} {{ y = Relu ({name}) }}'
        paths.append(tmp_path / f"{name}.onnx")
        onnx.save(onnx.parser.parse_model(text), paths[-1])
    return paths


def test_each_model_gets_the_shapes_of_its_inputs(models: list[Path]) -> None:
    found = shapes_of(models, ["image=1x3x8x8", "x=1x3x16x16"])
    assert found == [{"image": (1, 3, 8, 8)}, {"x": (1, 3, 16, 16)}]
    assert shapes_of(models, None) == [{}, {}]


def test_a_shape_for_no_model_is_told(models: list[Path]) -> None:
    with pytest.raises(UserError, match="image, x"):
        shapes_of(models, ["picture=1x3x8x8"])
