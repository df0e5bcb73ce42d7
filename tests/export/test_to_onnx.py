from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from export.to_onnx import export_module
from export.to_onnx_uint8 import Uint8Network
from foundation.errors import UserError
from foundation.evaluation_mode import evaluation_mode
from tests.export.runtime_device import RuntimeDevice
from tests.export.small_network import HEIGHT, MEAN, STD, WIDTH, small_network

OPEN = {"image": {2: "height", 3: "width"}, "logits": {2: "height", 3: "width"}}


def export(
    path: Path, module: nn.Module | None = None, *, height: int = HEIGHT, width: int = WIDTH, **settings: object
) -> Path:
    image = torch.zeros(1, 3, height, width)
    return export_module(module or small_network(), path / "model.onnx", {"image": image}, **settings)


def export_uint8(path: Path, network: nn.Module, **settings: object) -> Path:
    pixels = torch.zeros(1, HEIGHT, WIDTH, 3, dtype=torch.uint8)
    wrapped = Uint8Network(network, MEAN, STD)
    return export_module(wrapped, path / "model.onnx", {"image": pixels}, outputs=["mask"], **settings)


def answer(path: Path, image: np.ndarray) -> np.ndarray:
    return RuntimeDevice().infer(path, {"image": image})[0]


def expected(module: nn.Module, image: np.ndarray) -> np.ndarray:
    with evaluation_mode(module), torch.no_grad():
        return module(torch.from_numpy(image)).numpy()


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def shape_of(value: onnx.ValueInfoProto) -> list[int | str]:
    return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]


def test_static_file_answers_like_torch(tmp_path: Path) -> None:
    network, image = small_network(), noise(1, 3, HEIGHT, WIDTH)
    np.testing.assert_allclose(answer(export(tmp_path, network), image), expected(network, image), atol=1e-5)


def test_graph_holds_one_operator_per_kernel(tmp_path: Path) -> None:
    nodes = onnx.load(export(tmp_path)).graph.node
    kinds = Counter(node.op_type for node in nodes)
    assert kinds == {
        "Conv": 6, "ConvTranspose": 1, "HardSwish": 1, "HardSigmoid": 1, "Relu": 3, "GlobalAveragePool": 1,
        "Mul": 1, "Add": 1, "Resize": 1, "Concat": 1, "DepthToSpace": 1,
    }  # fmt: skip
    assert not any(node.metadata_props or node.doc_string for node in nodes)  # the rewriter notes its rules


def test_names_and_shapes_of_inputs_and_outputs(tmp_path: Path) -> None:
    graph = onnx.load(export(tmp_path)).graph
    assert [(v.name, shape_of(v)) for v in graph.input] == [("image", [1, 3, HEIGHT, WIDTH])]
    assert [(v.name, shape_of(v)) for v in graph.output] == [("logits", [1, 2, HEIGHT, WIDTH])]


def test_resize_has_constant_scales(tmp_path: Path) -> None:
    graph = onnx.load(export(tmp_path, dynamic_axes=OPEN)).graph
    (resize,) = [node for node in graph.node if node.op_type == "Resize"]
    (scales,) = [t for t in graph.initializer if t.name == resize.input[2]]
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(scales), [1, 1, 2, 2])


def test_dynamic_file_takes_other_sizes(tmp_path: Path) -> None:
    network = small_network()
    path = export(tmp_path, network, dynamic_axes=OPEN)
    assert shape_of(onnx.load(path).graph.input[0]) == [1, 3, "height", "width"]
    for height, width in [(HEIGHT, WIDTH), (64, 32), (16, 160)]:
        image = noise(1, 3, height, width)
        np.testing.assert_allclose(answer(path, image), expected(network, image), atol=1e-5)


@pytest.mark.parametrize("dynamic", [False, True])
def test_uint8_file_normalises_and_decides_inside(tmp_path: Path, dynamic: bool) -> None:
    network = small_network(classes=5)
    axes = {1: "height", 2: "width"}
    path = export_uint8(tmp_path, network, dynamic_axes={"image": axes, "mask": axes} if dynamic else None)
    pixels = np.random.default_rng(0).integers(0, 256, (1, HEIGHT, WIDTH, 3), dtype=np.uint8)
    normalised = ((pixels / 255 - MEAN) / STD).astype(np.float32).transpose(0, 3, 1, 2)
    mask = answer(path, pixels)
    assert mask.dtype == np.uint8
    assert mask.shape == (1, HEIGHT, WIDTH)
    assert np.mean(mask == expected(network, np.ascontiguousarray(normalised)).argmax(1)) > 0.999
    assert len(np.unique(mask)) > 1


def test_same_network_gives_same_bytes(tmp_path: Path) -> None:
    first = export(tmp_path, small_network()).read_bytes()
    assert export(tmp_path, small_network()).read_bytes() == first
    assert export(tmp_path, small_network(seed=1)).read_bytes() != first


def test_equal_weights_are_not_mixed_up(tmp_path: Path) -> None:
    """The exporter shares equal initialisers between layers; folding must not change them for the others."""
    network = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.ConvTranspose2d(4, 4, 2, 2, bias=False), nn.BatchNorm2d(4),
        nn.ConvTranspose2d(4, 4, 2, 2), nn.BatchNorm2d(4),
    )  # fmt: skip
    with torch.no_grad():
        network[5].weight.copy_(network[3].weight)
        network[4].running_var.fill_(4.0)
        network[6].running_mean.fill_(-0.5)
    path, image = export(tmp_path, network, height=8, width=8), noise(1, 3, 8, 8)
    np.testing.assert_allclose(answer(path, image), expected(network, image), atol=1e-5)
    assert "BatchNormalization" not in {node.op_type for node in onnx.load(path).graph.node}


def test_mode_of_every_part_is_left_as_it_was(tmp_path: Path) -> None:
    network = small_network()
    network.train()
    network.stem.eval()
    before = [part.training for part in network.modules()]
    export(tmp_path, network)
    assert [part.training for part in network.modules()] == before


def test_weights_are_named_after_their_layers(tmp_path: Path) -> None:
    model = onnx.load(export(tmp_path))
    names = {tensor.name for tensor in model.graph.initializer}
    assert "/stem/stem.0/Conv.weight" in names
    assert not any(name.startswith("onnx::") for name in names)
    assert model.producer_name == "latseg"


def test_no_trace_of_the_machine(tmp_path: Path) -> None:
    content = export(tmp_path).read_bytes()
    assert b".py" not in content
    assert str(tmp_path).encode() not in content


class SharedConvolution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.ConvTranspose2d(3, 2, 2, 2), nn.BatchNorm2d(2)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        raw = self.convolution(image)
        return raw + self.norm(raw)


def with_statistics(network: nn.Module) -> nn.Module:
    for part in network.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(part.running_mean)
            nn.init.uniform_(part.running_var, 0.5, 2)
    return network


@pytest.mark.parametrize(
    "network", [nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 2, 1)), SharedConvolution()], ids=["before", "shared"]
)
def test_batch_norm_that_cannot_be_folded_stays(
    tmp_path: Path, network: nn.Module, caplog: pytest.LogCaptureFixture
) -> None:
    with_statistics(network)
    path, image = export(tmp_path, network), noise(1, 3, HEIGHT, WIDTH)
    np.testing.assert_allclose(answer(path, image), expected(network, image), atol=1e-5)
    assert "batch normalisation costs time of its own: /" in caplog.text


def test_batch_norm_behind_a_linear_layer_is_folded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    network = with_statistics(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)))
    values = noise(5, 4)
    path = export_module(network, tmp_path / "model.onnx", {"values": torch.zeros(5, 4)}, outputs=["scores"])
    graph = onnx.load(path).graph
    assert [node.op_type for node in graph.node] == ["Gemm"]
    assert [output.name for output in graph.output] == ["scores"]
    np.testing.assert_allclose(RuntimeDevice().infer(path, {"values": values})[0], expected(network, values), atol=1e-5)
    assert not caplog.records


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"opset": 16}, "ONNX opset: got 16; expected 17 to 20"),
        ({"opset": 99}, "ONNX opset: got 99"),
        ({"height": 0}, "input image of the export: got 1 x 3 x 0 x 48"),
    ],
)
def test_bad_settings_are_refused(tmp_path: Path, settings: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        export(tmp_path, **settings)


@pytest.mark.parametrize("opset", [17, 18, 20])
def test_every_opset_answers_alike(tmp_path: Path, opset: int) -> None:
    network, image = small_network(), noise(1, 3, HEIGHT, WIDTH)
    path = export(tmp_path, network, opset=opset)
    assert onnx.load(path).opset_import[0].version == opset
    np.testing.assert_allclose(answer(path, image), expected(network, image), atol=1e-5)


def test_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = export(tmp_path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        export(tmp_path, small_network(seed=1))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_weights_and_statistics_are_left_as_they_were(tmp_path: Path) -> None:
    network = small_network()
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    export(tmp_path, network)
    export_uint8(tmp_path, network)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
