"""ExecuTorch without its environment: which rows its kernels become; ``test_executorch_device.py`` needs it."""

from __future__ import annotations

from pathlib import Path

import onnx.parser
import pytest

from devices.backends.executorch.device import ExecuTorchDevice
from devices.backends.executorch.document import Operator, Step
from devices.backends.executorch.profile import Event, executed_nodes, profile_model, timed_operators
from devices.operator_join import ExecutedNode, join_rows
from devices.tensor_graph import TensorGraph
from devices.worker.runtime import ModelFailedError, ModelFile
from foundation.errors import DeviceUnavailableError, UserError
from latseg.testing.nets import saved, small_net

HEADER = '<ir_version: 9, opset_import: ["" : 17]> g (float[1, 4] x) => (float[1, 4] y)'
CONVOLUTION, CLAMP, ADD = "Convolution (NHWC, F32) IGEMM", "Clamp (NC)", "Add (ND)"


def nodes(text: str, *operators: tuple[str, int | None, str]) -> list[ExecutedNode]:
    """Of a model whose operators take a millisecond for each kernel; the outputs are all named."""
    model = onnx.parser.parse_model(f"{HEADER} {{ {text} }}")
    times = [(kernel, float(bool(kernel))) for _, _, kernel in operators]
    outputs = [each.name for each in model.graph.output]
    made = [Operator(kind, node) for kind, node, _ in operators]
    return executed_nodes(TensorGraph(model.graph), outputs, made, times)


def test_what_is_fused_has_one_row() -> None:
    first, second = nodes(
        "a = Neg(x) b = Relu(a) y = Add(b, x)",
        ("CONV_2D", 0, CONVOLUTION), ("RELU", 1, ""), ("ADD", 2, ADD),
    )  # fmt: skip
    assert first == ExecutedNode(CONVOLUTION, 1.0, ("x",), ("b",))
    assert second == ExecutedNode(ADD, 1.0, (0, "x"), ("y",))


def test_what_others_read_too_keeps_a_row_of_its_own() -> None:
    made = nodes("a = Neg(x) b = Relu(a) y = Add(a, b)", ("NEG", 0, "Negate (NC)"), ("RELU", 1, ""), ("ADD", 2, ADD))
    assert [node.outputs for node in made] == [("a",), ("b",), ("y",)]
    assert [node.ms for node in made] == [1, 0, 1]
    assert made[1].kernel == "Relu"


def test_a_node_of_several_operators_is_one_row() -> None:
    (only,) = join_rows(nodes("y = HardSigmoid(x)", ("MUL", 0, "Multiply"), ("ADD", 0, ADD), ("RELU", 0, CLAMP)))
    assert (only.kernel, only.ms, only.outputs) == (f"Multiply+{ADD}+{CLAMP}", 3.0, ("y",))


def test_what_the_compiler_inserts_belongs_to_what_runs_before_it() -> None:
    first, second = nodes("a = Neg(x) y = Abs(a)", ("NEG", 0, "N"), ("CLONE", None, "Copy"), ("ABS", 1, "A"))
    assert (first.kernel, first.ms) == ("N+Copy", 2.0)
    assert second.sources == (0,)


def test_sizes_are_no_sources() -> None:
    first, second = nodes(
        "a = Neg(x) s = Shape(a) y = Reshape(a, s)", ("NEG", 0, "N"), ("RESHAPE", 2, "Static Reshape (NC)")
    )
    assert (first.outputs, second.sources) == (("a",), (0,))


def test_kernels_of_a_call_are_those_of_its_operators() -> None:
    steps = (
        Step(True, (Operator("CONV_2D", 0), Operator("RELU", 1))),
        Step(False, (Operator("ERF", 2),)),
        Step(True, (Operator("ADD", 3),)),
    )
    runs = [
        [
            Event(CONVOLUTION, ms, 0),
            Event("OPERATOR_CALL", 0.5, 3),
            Event("Transpose (ND, X32)", 0.25, 4),
            Event(ADD, 2, 4),
        ]
        for ms in (1.0, 3.0)
    ]
    operators, times = timed_operators(steps, runs)
    assert [operator.node for operator in operators] == [0, 1, 2, 3]
    assert [kernels for kernels, _ in times] == [CONVOLUTION, "", "OPERATOR_CALL", f"Transpose (ND, X32)+{ADD}"]
    assert [ms for _, ms in times] == pytest.approx([2.0005, 0, 0.5, 2.251])
    with pytest.raises(ModelFailedError, match="3 instructions of 2"):
        timed_operators(steps[:2], runs)
    with pytest.raises(ModelFailedError, match="traced 3 or 4 kernels"):
        timed_operators(steps, [runs[0][:3], runs[1]])
    with pytest.raises(ModelFailedError, match="traced no kernels"):
        timed_operators(steps, [])


def test_files_with_functions_have_no_operator_times(tmp_path: Path) -> None:
    text = """
        <ir_version: 9, opset_import: ["" : 17, "own" : 1]> g (float[1, 4] x) => (float[1, 4] y) { y = own.Twice(x) }
        <domain: "own", opset_import: ["" : 17]> Twice (a) => (b) { b = Add(a, a) }
    """
    path = saved(onnx.parser.parse_model(text), tmp_path / "function.onnx")
    profile = profile_model(ModelFile(path, path, ()), None, lambda: None, 1)
    assert (profile.source, profile.operators) == ("none for a file with functions", ())


def test_what_is_missing_names_the_command_that_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATSEG_RUNTIMES", str(tmp_path))
    device = ExecuTorchDevice()
    assert device.availability().remedy == "latseg install executorch"
    with pytest.raises(DeviceUnavailableError, match="latseg install executorch"):
        device.info()
    with pytest.raises(UserError, match="latseg install executorch"):
        device.convert(saved(small_net(), tmp_path / "small.onnx"))
