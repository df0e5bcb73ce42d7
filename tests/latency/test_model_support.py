"""The runtime is asked about the whole model, and about its operators where the whole does not run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from devices.device import Candidate
from devices.input_values import encode_all
from devices.registry import get_device
from devices.support import FileSupport, Verdict
from foundation.errors import DeviceUnavailableError, UserError
from latency.model_support import ModelSupport, model_support
from latseg.testing.nets import saved, small_net
from tests.devices.worker.picky import BrokenDevice, PickyDevice, UselessDevice

GENERAL = "replace it by other operators, or export with another opset"


def chain(*kinds: str, reads: str = "float[1, 3, 8, 8]", writes: str = "float", opset: int = 18) -> onnx.ModelProto:
    """Operators one after the other; each node's name is that of its operator."""
    tensors = ["x", *(f"t{place}" for place in range(len(kinds) - 1)), "y"]
    nodes = "\n".join(f"{made} = {kind}({read})" for kind, read, made in zip(kinds, tensors, tensors[1:], strict=False))
    domains = f'"" : {opset}, "com.microsoft" : 1'
    model = onnx.parser.parse_model(
        f"<ir_version: 8, opset_import: [{domains}]> g ({reads} x) => ({writes} y) {{ {nodes} }}"
    )
    for node, kind in zip(model.graph.node, kinds, strict=True):
        node.name = f"the_{kind.split('.')[-1].split('<')[0].lower()}"
    return model


def asked(model: onnx.ModelProto, folder: Path, device: str = "picky") -> ModelSupport:
    chosen = PickyDevice() if device == "picky" else get_device(device)
    return model_support(chosen, Candidate("net", saved(model, folder / "net.onnx")))


def verdicts(found: ModelSupport) -> dict[str, Verdict]:
    return {each.name: each.verdict for each in found.operators}


def test_a_model_that_runs(tmp_path: Path) -> None:
    found = asked(chain("Relu", "Sigmoid"), tmp_path)
    assert (found.verdict, found.reason) == (Verdict.SUPPORTED, "")
    assert verdicts(found) == {"the_relu": Verdict.SUPPORTED, "the_sigmoid": Verdict.SUPPORTED}
    assert found.comparison is not None
    assert (found.comparison.max_abs, found.comparison.fault) == (0.0, "")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("Softsign", "no kernel for Softsign"),
        ("Softplus", "SIGSEGV"),
        ("Selu", "unlike ONNX Runtime it computes 1 of 192 numbers of an output as NaN or infinity instead of 0"),
        ("Tanh", "unlike ONNX Runtime it computes an output of the shape 1x3x8x7 instead of 1x3x8x8"),
    ],
)
def test_the_operator_at_fault_is_found(kind: str, reason: str, tmp_path: Path) -> None:
    found = asked(chain("Relu", kind, "Sigmoid"), tmp_path)
    assert found.verdict is Verdict.UNSUPPORTED
    assert reason in found.reason
    first, fault, last = found.operators
    assert (first.verdict, last.verdict) == (Verdict.SUPPORTED, Verdict.SUPPORTED)
    assert (fault.name, fault.kind, fault.verdict) == (f"the_{kind.lower()}", kind, Verdict.UNSUPPORTED)
    assert reason in fault.reason
    assert fault.remedy == GENERAL
    assert first.remedy == ""


def test_a_hang_costs_one_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.worker.device.INFERENCE_TIMEOUT_S", 2.0)
    found = asked(chain("Relu", "Celu"), tmp_path)
    assert "hung" in found.reason
    assert verdicts(found) == {"the_relu": Verdict.SUPPORTED, "the_celu": Verdict.UNSUPPORTED}


def test_operators_that_run_alone_and_not_together(tmp_path: Path) -> None:
    found = asked(chain("Sin", "Cos"), tmp_path)
    assert (found.verdict, found.reason) == (Verdict.UNSUPPORTED, "no angle has both")
    assert verdicts(found) == {"the_sin": Verdict.SUPPORTED, "the_cos": Verdict.SUPPORTED}


def test_other_numbers_are_told_and_run(tmp_path: Path) -> None:
    found = asked(chain("Relu", "Elu"), tmp_path)
    assert found.verdict is Verdict.SUPPORTED
    assert found.comparison is not None
    assert found.comparison.max_abs == pytest.approx(0.5)
    assert found.comparison.unequal > 0.9


def test_nan_of_the_model_itself_is_none_of_the_runtime(tmp_path: Path) -> None:
    assert asked(chain("Log"), tmp_path).verdict is Verdict.SUPPORTED


def test_inputs_are_random_and_the_seed_is_theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fed: list[np.ndarray] = []
    support = PickyDevice.support

    def noted(self: PickyDevice, path: Path, inputs: Any) -> FileSupport:
        fed.append(inputs["x"])
        return support(self, path, inputs)

    monkeypatch.setattr(PickyDevice, "support", noted)
    candidate = Candidate("net", saved(chain("Relu"), tmp_path / "net.onnx"))
    for seed in (0, 0, 1):
        model_support(PickyDevice(), candidate, seed=seed)
    np.testing.assert_array_equal(fed[0], fed[1])
    assert np.abs(fed[0] - fed[2]).max() > 0.1


def test_equal_operators_are_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_for: Counter[str] = Counter()
    support = PickyDevice.support

    def counted(self: PickyDevice, path: Path, inputs: Any) -> FileSupport:
        asked_for[onnx.load(path).graph.node[0].op_type] += 1
        return support(self, path, inputs)

    monkeypatch.setattr(PickyDevice, "support", counted)
    found = asked(chain("Sigmoid", "Relu", "Relu", "Relu", "Softsign"), tmp_path)
    assert asked_for["Relu"] == 1
    assert Counter(each.verdict for each in found.operators) == {Verdict.SUPPORTED: 4, Verdict.UNSUPPORTED: 1}


def test_an_operator_that_no_runtime_has(tmp_path: Path) -> None:
    """What comes after it has no known shape, so that it cannot be asked about."""
    found = asked(chain("Relu", "com.microsoft.NoSuchOperator", "Sigmoid"), tmp_path, "cpu")
    assert list(verdicts(found).values()) == [Verdict.SUPPORTED, Verdict.UNSUPPORTED, Verdict.UNKNOWN]
    _, fault, after = found.operators
    assert fault.kind == "com.microsoft.NoSuchOperator"
    assert "NoSuchOperator(-1) is not a registered function/op" in fault.reason
    assert str(tmp_path) not in fault.reason
    assert "latseg-" not in fault.reason, "no name of a temporary folder"
    assert fault.remedy.startswith("take the file from before ONNX Runtime optimised it")
    assert "unknown shape" in after.reason
    assert after.remedy == ""


def test_double_precision_has_a_remedy(tmp_path: Path) -> None:
    model = chain("Relu", "Erf", reads="double[1, 3, 8, 8]", writes="double")
    found = asked(model, tmp_path, "cpu")
    assert verdicts(found) == {"the_relu": Verdict.SUPPORTED, "the_erf": Verdict.UNSUPPORTED}
    assert "Could not find an implementation for Erf" in found.operators[1].reason
    assert found.operators[1].remedy == "export the network in float32"


@pytest.mark.parametrize(
    ("inputs", "nodes"),
    [
        ("float[1, 1, 8] x", "i = ArgMax<axis = 1>(x) g = Gather<axis = 1>(x, i)"),
        ("float[1, 1, 8] x, float[3] s", "e = Neg(s) g = Resize(x, , e)"),
    ],
)
def test_what_fails_with_random_settings_is_unknown(inputs: str, nodes: str, tmp_path: Path) -> None:
    """The index 1 of a side of 1, and negative factors."""
    text = f'<ir_version: 8, opset_import: ["" : 17]> g ({inputs}) => (float y) {{ {nodes} y = Softsign(g) }}'
    found = asked(onnx.parser.parse_model(text), tmp_path)
    first, second, *_ = found.operators
    assert (first.verdict, second.verdict) == (Verdict.SUPPORTED, Verdict.UNKNOWN)
    assert second.reason.startswith("it fails with random sizes or indices: ")


@pytest.mark.parametrize(
    ("reads", "writes", "node"),
    [("string[4] x", "bool[4] y", "Equal(x, x)"), ("float[4] x", "string[4] y", "Cast<to = 8>(x)")],
)
def test_text_is_refused(reads: str, writes: str, node: str, tmp_path: Path) -> None:
    text = f'<ir_version: 8, opset_import: ["" : 19]> g ({reads}) => ({writes}) {{ y = {node} }}'
    with pytest.raises(UserError, match="text, or no tensor"):
        asked(onnx.parser.parse_model(text), tmp_path)


def test_control_flow_is_not_taken_apart(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]> g (float[4] x, bool c) => (float[4] y) {
        z = If(c) <then_branch = t () => (float[4] a) {a = Relu(x)}, else_branch = e () => (float[4] b) {b = Exp(x)}>
        y = Softsign(z) }"""
    found = asked(onnx.parser.parse_model(text), tmp_path)
    assert found.verdict is Verdict.UNSUPPORTED
    assert {each.verdict for each in found.operators} == {Verdict.UNKNOWN}
    assert "control flow" in found.operators[0].reason


def test_dynamic_inputs_take_the_given_shape(tmp_path: Path) -> None:
    path = saved(chain("Relu", "Tanh", reads="float[1, 3, h, w]"), tmp_path / "net.onnx")
    found = model_support(PickyDevice(), Candidate("net", path, (("x", (1, 3, 5, 6)),)))
    assert "1x3x5x5 instead of 1x3x5x6" in found.reason
    assert "1x3x5x5 instead of 1x3x5x6" in found.operators[1].reason
    with pytest.raises(UserError, match="expected fixed dimensions"):
        model_support(PickyDevice(), Candidate("net", path))


def test_values_that_decide_sizes_are_those_that_were_given(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]> g (float[4] x, int64[1] n) => (float y) {
        t = Tile(x, n)
        s = Sigmoid(t)
        y = Softsign(s) }"""
    path = saved(onnx.parser.parse_model(text), tmp_path / "net.onnx")
    values = encode_all({"n": np.array([3])})
    given, random = (model_support(PickyDevice(), Candidate("net", path, (), each)) for each in (values, ()))
    last = (Verdict.SUPPORTED, Verdict.UNSUPPORTED)
    assert tuple(each.verdict for each in given.operators) == (Verdict.SUPPORTED, *last)
    assert tuple(each.verdict for each in random.operators[1:]) == (Verdict.UNKNOWN, Verdict.UNKNOWN)


def test_openvino_refuses_functions_and_runs_what_is_in_them(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    text = """<ir_version: 8, opset_import: ["" : 17, "my" : 1]> g (float[4] x) => (float[4] y) { y = my.f(x) }
        <domain: "my", opset_import: ["" : 17]> f (x) => (y) { z = Relu(x) y = Exp(z) }"""
    found = asked(onnx.parser.parse_model(text), tmp_path, "openvino")
    assert "my.f" in found.reason
    assert [(each.kind, each.verdict) for each in found.operators] == [
        ("Relu", Verdict.SUPPORTED),
        ("Exp", Verdict.SUPPORTED),
    ]


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        (BrokenDevice(), "process: got ended with exit code 3; .*reinstall the runtime"),
        (UselessDevice(), r"the reference net failed \(no kernels at all"),
    ],
)
def test_a_runtime_that_runs_nothing_is_no_fault_of_the_model(tmp_path: Path, device: PickyDevice, reason: str) -> None:
    path = saved(small_net(), tmp_path / "net.onnx")
    with pytest.raises(DeviceUnavailableError, match=reason):
        model_support(device, Candidate("net", path))


@pytest.mark.parametrize(
    ("kinds", "runs_on", "refused_by"), [(("Relu", "Det"), "cpu", "openvino"), (("Erf",), "openvino", "cpu")]
)
def test_what_one_runtime_has_and_another_one_lacks(
    kinds: tuple[str, ...], runs_on: str, refused_by: str, tmp_path: Path
) -> None:
    pytest.importorskip("openvino")
    number = "double" if "Erf" in kinds else "float"
    model = chain(*kinds, reads=f"{number}[2, 3, 3]", writes=number)
    assert asked(model, tmp_path, runs_on).verdict is Verdict.SUPPORTED
    found = asked(model, tmp_path, refused_by)
    assert found.verdict is Verdict.UNSUPPORTED
    assert found.operators[-1].verdict is Verdict.UNSUPPORTED
    assert kinds[-1] in found.operators[-1].reason
    assert found.comparison is None
