"""On failed parity the first operator that differs is named."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from torch import nn

from export.bundle.examples import make_examples
from export.bundle.manifest import BundleFile
from export.bundle.write_model import write_model
from export.cut_model import CutModel
from export.exporter import Exporter, GetDevice
from export.parity import Array
from export.source import Source
from export.to_onnx import OnnxExporter
from foundation.errors import UserError
from tests.export.conftest import runtime_device, segmentation_source
from tests.export.runtime_device import RuntimeDevice
from tests.export.small_network import export_small, small_network

Change = Callable[[onnx.NodeProto], None]


class WrongExporter(Exporter):
    """Converts one kind of operator wrongly, and refuses a graph that ends in an operator of another kind."""

    format, file_name = "wrong", "wrong.onnx"

    def __init__(self, kind: str, *, refused: str = "", refuses_parts: bool = False) -> None:
        self.kind, self.refused, self.conversions = kind, refused, 0
        self.refuses_parts = refuses_parts

    def write(self, source: Source, folder: Path) -> BundleFile:
        self.conversions += 1
        model = onnx.load(folder / "model.onnx")
        if model.graph.node[-1].op_type == self.refused or (self.refuses_parts and self.conversions > 1):
            raise UserError(self.refused, seen="at the end", expected="another", remedy="none")
        for node in model.graph.node:
            if node.op_type == self.kind:
                self._spoil(model.graph, node)
        onnx.save(model, folder / self.file_name)
        return self.entry(folder)

    @staticmethod
    def _spoil(graph: onnx.GraphProto, node: onnx.NodeProto) -> None:
        """The operator's output plus a hundredth."""
        inner = f"{node.output[0]}_before"
        graph.initializer.append(helper.make_tensor(f"{inner}_more", TensorProto.FLOAT, [], [0.01]))
        add = helper.make_node("Add", [inner, f"{inner}_more"], [node.output[0]])
        node.output[0] = inner
        graph.node.insert(list(graph.node).index(node) + 1, add)


def complaint(
    exporter: Exporter, folder: Path, source: Source | None = None, get_device: GetDevice = runtime_device
) -> str:
    source = source or segmentation_source(small_network())
    folder.mkdir(exist_ok=True)
    OnnxExporter().write(source, folder)
    with pytest.raises(UserError) as error:
        write_model(exporter, source, folder, make_examples(source), get_device)
    return str(error.value)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> list[onnx.NodeProto]:
    path = export_small(small_network(), tmp_path_factory.mktemp("net") / "net.onnx")
    return list(onnx.load(path).graph.node)


@pytest.mark.parametrize("kind", ["HardSigmoid", "Resize", "ConvTranspose", "Concat", "Conv", "DepthToSpace"])
def test_it_is_named(kind: str, nodes: list[onnx.NodeProto], tmp_path: Path) -> None:
    exporter = WrongExporter(kind)
    line = complaint(exporter, tmp_path)
    expected = next(node for node in nodes if node.op_type == kind)
    assert f"the first operator that differs is {kind} {expected.name}:" in line
    assert exporter.conversions < len(nodes) / 2


def test_several_are_named_where_the_converter_refuses_parts(nodes: list[onnx.NodeProto], tmp_path: Path) -> None:
    """The network cannot be cut behind what is wrong: the next operator may be the one."""
    kinds = [node.op_type for node in nodes]
    after = nodes[kinds.index("Resize") + 1]
    line = complaint(WrongExporter("Resize", refused="Resize"), tmp_path)
    named = re.search(r"that differs is (.*): replace", line)
    assert named is not None, line
    resize = next(node for node in nodes if node.op_type == "Resize")
    assert named[1] == f"Resize {resize.name} or {after.op_type} {after.name}"


def test_a_converter_that_refuses_all_parts_is_soon_left_alone(tmp_path: Path) -> None:
    network = nn.Sequential(*[each for _ in range(30) for each in (nn.Conv2d(3, 3, 1), nn.Sigmoid())][:-1])
    exporter = WrongExporter("Conv", refuses_parts=True)
    line = complaint(exporter, tmp_path, segmentation_source(network, 3))
    assert " or one of 55 before: replace it" in line
    assert exporter.conversions == 1 + 2 * 6 + 8


class Broken(RuntimeDevice):
    """Runs nothing any more."""

    def infer(self, path: Path, inputs: Mapping[str, Array]) -> list[Array]:
        raise UserError("device", seen=f"no memory for {path} and {len(inputs)} inputs", expected="some", remedy="none")


def test_a_device_that_then_fails_leaves_the_error_of_parity(tmp_path: Path) -> None:
    devices = iter([RuntimeDevice()])
    line = complaint(WrongExporter("Conv"), tmp_path, get_device=lambda name: next(devices, Broken(name=name)))
    assert line.startswith("parity of wrong.onnx (wrong): got largest difference")


def test_a_file_of_another_network_has_no_such_operator(tmp_path: Path) -> None:
    """Nor one that is not made of ``model.onnx``."""
    measured = export_small(small_network(seed=1), tmp_path / "other.onnx")
    line = complaint(WrongExporter(""), tmp_path / "new", segmentation_source(small_network(), model_path=measured))
    assert line.endswith("the file is not of this network: export it again")
    exporter = WrongExporter("Conv")
    exporter.reads_onnx = False
    asked: list[str] = []

    def get_device(name: str) -> RuntimeDevice:
        asked.append(name)
        return runtime_device(name)

    line = complaint(exporter, tmp_path / "whole", get_device=get_device)
    assert line.endswith("the file is not of this network: export it again")
    assert exporter.conversions == 1
    assert asked == ["cpu"]


def test_a_cut_returns_what_later_nodes_read(tmp_path: Path) -> None:
    model = onnx.load(export_small(small_network(), tmp_path / "net.onnx"))
    cut = CutModel(model)
    for position in range(1, len(model.graph.node)):
        part = cut.after(position)
        onnx.checker.check_model(part, full_check=True)
        read = {name for node in model.graph.node[position:] for name in node.input}
        made = {name for node in model.graph.node[:position] for name in node.output}
        assert {value.name for value in part.graph.output} == read & made
        assert {one.name for one in part.graph.initializer} <= {n for node in part.graph.node for n in node.input}


def test_sizes_and_constants_are_no_outputs() -> None:
    def value(name: str, kind: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, None)

    nodes = [
        helper.make_node("Shape", ["x"], ["size"]),
        helper.make_node("Constant", [], ["one"], value_float=1.0),
        helper.make_node("Add", ["x", "one"], ["y"]),
        helper.make_node("Reshape", ["y", "size"], ["z"]),
        helper.make_node("Relu", ["z"], ["end"]),
        helper.make_node("Add", ["end", "one"], ["last"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 2])
    model = helper.make_model(helper.make_graph(nodes, "net", [x], [value("last", TensorProto.FLOAT)]))
    cut = CutModel(model)
    assert [[one.name for one in cut.outputs(n)] for n in range(1, 6)] == [[], [], [], ["z"], ["end"]]
