from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from devices.model_file import check_model, sha256_of
from devices.model_inputs import model_inputs, random_inputs
from foundation.errors import UserError
from latseg.testing.nets import mobile_net, raw_model, saved, small_net


def _message(path: Path) -> str:
    with pytest.raises(UserError) as error:
        check_model(path)
    assert error.value.exit_code == 2
    line = str(error.value)
    assert "\n" not in line
    return line


def test_a_valid_model_is_returned(tmp_path: Path) -> None:
    path = saved(mobile_net(), tmp_path / "net.onnx")
    assert check_model(path) == mobile_net()
    assert len(sha256_of(path)) == 64


def test_missing_file_and_directory(tmp_path: Path) -> None:
    assert "does not exist" in _message(tmp_path / "net.onnx")
    assert "directory" in _message(tmp_path)
    with pytest.raises(UserError, match="does not exist"):
        sha256_of(tmp_path / "net.onnx")


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"# notes\n", bytes(1000), b"\xff" * 64])
def test_not_onnx(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    line = _message(path)
    assert "empty" in line if not content else "not ONNX" in line


@pytest.mark.parametrize("share", [0.002, 0.1, 0.5, 0.9, 0.9999])
def test_truncated(tmp_path: Path, share: float) -> None:
    content = mobile_net().SerializeToString()
    path = tmp_path / "net.onnx"
    path.write_bytes(content[: max(2, int(len(content) * share))])
    assert "truncated" in _message(path)


def test_truncation_at_every_byte_of_a_small_model_is_reported(tmp_path: Path) -> None:
    content = raw_model("Relu").SerializeToString()
    path = tmp_path / "net.onnx"
    for end in range(len(content)):
        path.write_bytes(content[:end])
        _message(path)


def _external(model: onnx.ModelProto, location: str, length: int | None = None) -> onnx.ModelProto:
    tensor = model.graph.initializer[0]
    size = len(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(length or size))):
        tensor.external_data.add(key=key, value=value)
    return model


def test_external_data_beside_the_model_is_accepted(tmp_path: Path) -> None:
    weights = small_net().graph.initializer[0].raw_data
    (tmp_path / "weights.bin").write_bytes(weights)
    path = saved(_external(small_net(), "weights.bin"), tmp_path / "net.onnx")
    assert check_model(path).graph.initializer[0].external_data[0].value == "weights.bin"


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/hostname", "inner/../../weights.bin", "link.bin", ""])
def test_external_data_outside_the_folder(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "weights.bin").write_bytes(bytes(10_000))
    (folder / "link.bin").symlink_to(tmp_path / "weights.bin")
    assert "inside" in _message(saved(_external(small_net(), location), folder / "net.onnx"))


def test_external_data_missing_or_too_short(tmp_path: Path) -> None:
    path = saved(_external(small_net(), "weights.bin"), tmp_path / "net.onnx")
    assert "'weights.bin', which is missing" in _message(path)
    (tmp_path / "weights.bin").write_bytes(b"short")
    assert "5 bytes" in _message(path)


def test_unknown_operators(tmp_path: Path) -> None:
    assert "unknown operator Frobnicate" in _message(saved(raw_model("Frobnicate"), tmp_path / "a.onnx"))
    assert "acme::Relu" in _message(saved(raw_model("Relu", domain="acme"), tmp_path / "b.onnx"))
    too_new = saved(raw_model("HardSwish", opset=11), tmp_path / "c.onnx")
    assert "HardSwish" in _message(too_new)
    assert "opset 999" in _message(saved(raw_model("Relu", opset=999), tmp_path / "d.onnx"))


def test_operators_of_a_runtime_are_left_to_the_runtime(tmp_path: Path) -> None:
    path = saved(raw_model("FusedThing", domain="com.microsoft"), tmp_path / "net.onnx")
    assert check_model(path).graph.node[0].op_type == "FusedThing"


def test_no_inputs(tmp_path: Path) -> None:
    assert "no inputs" in _message(saved(raw_model("Relu", inputs=False), tmp_path / "net.onnx"))


def test_invalid_graph(tmp_path: Path) -> None:
    model = small_net()
    model.graph.node[1].input[0] = "nowhere"
    assert "nowhere" in _message(saved(model, tmp_path / "net.onnx"))


def test_dynamic_dimensions_need_a_shape() -> None:
    model = small_net(size="side")
    with pytest.raises(UserError, match=r"'image'.*1x3x\?x\?"):
        model_inputs(model, ())
    (fixed,) = model_inputs(model, (("image", (1, 3, 40, 48)),))
    assert fixed.shape == (1, 3, 40, 48)
    assert fixed.dtype == "float32"


@pytest.mark.parametrize("shape", [(1, 4, 8, 8), (1, 3, 8), (1, 3, 0, 8)])
def test_shapes_that_contradict_the_model(shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match="'image'"):
        model_inputs(small_net(size="side"), (("image", shape),))


def test_a_shape_for_an_unknown_input() -> None:
    with pytest.raises(UserError, match="'picture'"):
        model_inputs(small_net(), (("picture", (1, 3, 32, 32)),))


def test_weights_listed_as_inputs_are_not_fed() -> None:
    model = small_net()
    tensor = model.graph.initializer[0]
    kind = onnx.TensorProto.FLOAT
    model.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, kind, tensor.dims))
    assert [each.name for each in model_inputs(model, ())] == ["image"]


def test_random_inputs_fit_and_repeat() -> None:
    model = small_net()
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    inputs = model_inputs(model, ())
    first, second = random_inputs(inputs)["image"], random_inputs(inputs)["image"]
    assert first.dtype == np.uint8
    assert first.max() > 200
    np.testing.assert_array_equal(first, second)
    assert numpy_helper.from_array(first).dims == [1, 3, 32, 32]
