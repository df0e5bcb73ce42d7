"""The target ``qnn``: what Qualcomm's compiler accepts, and what its emulator computes."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

from devices.backends.qnn.target import QnnTarget
from devices.device import Candidate
from devices.support import Verdict
from latency.model_support import ModelSupport, model_support
from latseg.testing.nets import mobile_net, saved
from search.spaces.portrait.space import PortraitSpace

pytestmark = [
    pytest.mark.targets,
    pytest.mark.skipif(not QnnTarget().availability().available, reason="needs `latseg install qnn`"),
]


@pytest.fixture(scope="module")
def target() -> QnnTarget:
    return QnnTarget()


def depthwise(kernel: int, stride: int, dilation: int) -> onnx.ModelProto:
    """A convolution of ordinary form, then one of each channel, called ``odd``."""
    random, pad = np.random.default_rng(0), dilation * (kernel - 1) // 2
    weights = {"v": (16, 3, 1, 1), "w": (16, 1, kernel, kernel)}
    tensors = [numpy_helper.from_array(random.normal(size=s).astype(np.float32), n) for n, s in weights.items()]
    nodes = [
        helper.make_node("Conv", ["x", "v"], ["a"], "plain"),
        helper.make_node(
            "Conv", ["a", "w"], ["y"], "odd", group=16, strides=[stride] * 2, dilations=[dilation] * 2, pads=[pad] * 4
        ),
    ]
    return model(nodes, tensors)


def model(nodes: list[onnx.NodeProto], tensors: list[onnx.TensorProto]) -> onnx.ModelProto:
    """From ``x``, 1 x 3 x 32 x 32, to ``y``."""
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 3, 32, 32])
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "net", [x], [y], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def asked(target: QnnTarget, net: onnx.ModelProto, folder: Path) -> ModelSupport:
    return model_support(target, Candidate("net", saved(net, folder / "net.onnx")))


def test_a_net_runs_wholly_on_the_npu_and_the_emulator_computes_it(target: QnnTarget, tmp_path: Path) -> None:
    found = asked(target, mobile_net(), tmp_path)
    assert found.verdict is Verdict.SUPPORTED, found.reason
    assert {row.unit for row in found.operators if row.kind == "Conv"} == {"npu"}
    assert found.comparison is not None
    assert not found.comparison.fault


@pytest.mark.parametrize("kernel", [5, 7])
def test_stride_and_dilation_of_two_are_refused_together(target: QnnTarget, kernel: int, tmp_path: Path) -> None:
    found = asked(target, depthwise(kernel, 2, 2), tmp_path)
    assert found.verdict is Verdict.UNSUPPORTED
    plain, odd = found.operators
    assert (plain.verdict, odd.name, odd.verdict) == (Verdict.SUPPORTED, "odd", Verdict.PARTIAL)
    assert "stride or a dilation of 1" in odd.remedy
    for stride, dilation in ((2, 1), (1, 2)):
        assert asked(target, depthwise(kernel, stride, dilation), tmp_path).verdict is Verdict.SUPPORTED


def test_an_operator_on_the_cpu_is_a_fallback(target: QnnTarget, tmp_path: Path) -> None:
    weights = numpy_helper.from_array(np.ones((8, 3, 1, 1), np.float32), "w")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], "plain"),
        helper.make_node("Softsign", ["a"], ["y"], "odd"),
    ]
    found = asked(target, model(nodes, [weights]), tmp_path)
    assert found.verdict is Verdict.FALLS_BACK
    assert [(row.verdict, row.unit) for row in found.operators] == [
        (Verdict.SUPPORTED, "npu"),
        (Verdict.FALLS_BACK, "cpu"),
    ]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_net_with_shared_biases_is_computed_rightly(target: QnnTarget, tmp_path: Path) -> None:
    # torch writes equal biases as one and ``Identity`` nodes. Quantised as it stands, this net is compiled, too, but
    # its outputs are wrong in the emulator.
    torch.manual_seed(0)
    space = PortraitSpace(sizes=[(128, 128)])
    net = space.build(space.sample(1, Random(0))[0]).eval()
    path, image = tmp_path / "net.onnx", torch.zeros(1, 3, 128, 128)
    torch.onnx.export(net, (image,), str(path), input_names=["image"], dynamo=False, opset_version=17)
    assert "Identity" in {node.op_type for node in onnx.load(path).graph.node}
    found = model_support(target, Candidate("net", path))
    assert found.verdict is Verdict.SUPPORTED
    assert found.comparison is not None
    assert found.comparison.max_abs < 0.2


def test_the_context_binary_is_written(target: QnnTarget, tmp_path: Path) -> None:
    path = saved(depthwise(3, 1, 1), tmp_path / "net.onnx")
    target.compile(path, {"x": np.zeros((1, 3, 32, 32), np.float32)}, tmp_path / "context.onnx")
    kinds = [node.op_type for node in onnx.load(tmp_path / "context.onnx").graph.node]
    assert kinds == ["EPContext"]


def test_dynamic_inputs_are_compiled_for_the_sizes_that_are_given(target: QnnTarget, tmp_path: Path) -> None:
    net = depthwise(3, 1, 1)
    for side, name in ((2, "h"), (3, "w")):
        net.graph.input[0].type.tensor_type.shape.dim[side].dim_param = name
    path = saved(net, tmp_path / "net.onnx")
    answer = target.support(path, {"x": np.ones((1, 3, 16, 24), np.float32)})
    assert answer.verdict is Verdict.SUPPORTED, answer.reason
    assert answer.outputs is not None
    assert answer.outputs[0].shape == (1, 16, 16, 24)
