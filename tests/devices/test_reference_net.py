import onnx

from devices.protocol import PROTOCOL_VERSION
from devices.reference_net import REFERENCE_NET, reference_net_sha256
from latseg.testing.graph_builder import GraphBuilder


def built_reference_net() -> onnx.ModelProto:
    """The net of the package's file: how it was built."""
    net = GraphBuilder(seed=20240229)
    x = net.node("HardSwish", [net.convolution("image", 3, 16, kernel=3, stride=2)])
    x = net.inverted_residual(x, 16, 24, expanded=64, stride=2)
    quarter = net.inverted_residual(x, 24, 24, expanded=72)
    x = net.inverted_residual(quarter, 24, 40, expanded=96, kernel=5, stride=2, activation="HardSwish", gate=True)
    x = net.inverted_residual(x, 40, 40, expanded=120, kernel=5, activation="HardSwish", gate=True)
    x = net.upsample(net.convolution(x, 40, 32))
    x = net.node("Concat", [x, net.convolution(quarter, 24, 16)], axis=1)
    x = net.convolution(x, 48, 48, kernel=3, group=48)
    x = net.node("Relu", [net.convolution(x, 48, 32)])
    x = net.upsample(net.convolution(x, 32, 2), 4)
    return net.finish(x, (1, 3, 192, 192), (1, 2, 192, 192))


def _plain(model: onnx.ModelProto) -> onnx.GraphProto:
    """The graph without the names of nodes and the order of attributes, which no runtime looks at."""
    model.graph.name = ""
    for node in model.graph.node:
        node.name = ""
        attributes = sorted(node.attribute, key=lambda attribute: attribute.name)
        node.ClearField("attribute")
        node.attribute.extend(attributes)
    return model.graph


def test_the_file_is_what_the_code_builds() -> None:
    assert _plain(onnx.load(str(REFERENCE_NET))) == _plain(built_reference_net())


def test_it_is_a_valid_net_of_the_usual_operators() -> None:
    model = onnx.load(str(REFERENCE_NET))
    onnx.checker.check_model(model, full_check=True)
    kinds = {node.op_type for node in model.graph.node}
    assert {"Conv", "HardSwish", "HardSigmoid", "GlobalAveragePool", "Mul", "Add", "Resize", "Concat"} <= kinds
    kernels = {tuple(a.ints) for node in model.graph.node for a in node.attribute if a.name == "kernel_shape"}
    assert kernels == {(1, 1), (3, 3), (5, 5)}


def test_another_reference_net_needs_another_version_of_the_protocol() -> None:
    known = dict.fromkeys((2, 3), "c95f5888aa4971debc6a3345283369c8858a63181b05efc615d486d50521e26b")
    assert known[PROTOCOL_VERSION] == reference_net_sha256()
