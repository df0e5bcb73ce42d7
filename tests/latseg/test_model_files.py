from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from foundation.errors import UserError
from latseg.model_files import by_model


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
    found = by_model(models, {"image": (1, 3, 8, 8), "x": (1, 3, 16, 16)}, option="--shape")
    assert found == [{"image": (1, 3, 8, 8)}, {"x": (1, 3, 16, 16)}]
    assert by_model(models, {}, option="--shape") == [{}, {}]


def test_a_shape_for_no_model_is_refused(models: list[Path]) -> None:
    with pytest.raises(UserError, match="image, x"):
        by_model(models, {"picture": (1, 3, 8, 8)}, option="--shape")
