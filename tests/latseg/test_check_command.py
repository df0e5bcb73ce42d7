"""``latseg check``: does a file run on these devices?"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import latseg
from devices.device import Device
from devices.registry import DEVICES
from devices.support import Verdict
from foundation.errors import DeviceUnavailableError
from latseg.testing.nets import mobile_net, raw_model, saved, small_net
from tests.latency.test_model_support import chain
from tests.latseg.command_line import run, say
from tests.latseg.test_wiring import StopError, options_of

KEYS = [
    "device",
    "hardware",
    "simulated",
    "compiled",
    "emulator",
    "supported",
    "reason",
    "parity_max_abs",
    "operators",
    "lost_time",
    "fix",
    "warnings",
]


@pytest.fixture(autouse=True)
def picky(monkeypatch: pytest.MonkeyPatch) -> None:
    """``picky`` is the name of a device whose runtime misbehaves at some operators."""
    monkeypatch.setitem(DEVICES.targets, "picky", "tests.devices.worker.picky:PickyDevice")  # type: ignore[arg-type]


def checked(capsys: pytest.CaptureFixture[str], code: int, *words: object) -> list[dict[str, Any]]:
    """The document."""
    seen, out, err = say(capsys, "check", *map(str, words), "--json", "--quiet")
    assert seen == code, err
    found = json.loads(out)
    assert isinstance(found, list)
    return found


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return saved(mobile_net(), tmp_path / "good.onnx")


def test_a_file_that_runs(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("openvino")
    cpu, openvino = checked(capsys, 0, good, "-d", "cpu", "-d", "openvino", "-d", "cpu")
    assert list(cpu) == list(openvino) == KEYS
    assert (cpu["device"], openvino["device"]) == ("cpu", "openvino")
    assert cpu["supported"] is openvino["supported"] is True
    assert cpu["reason"] == openvino["reason"] == cpu["fix"] == ""
    assert cpu["parity_max_abs"] == 0
    assert 0 < openvino["parity_max_abs"] < 1e-3
    assert [(row["name"], row["kind"]) for row in openvino["operators"]] == [
        (node.name, node.op_type) for node in mobile_net().graph.node
    ]
    assert {(row["verdict"], row["reason"], row["remedy"]) for row in openvino["operators"]} == {("supported", "", "")}
    code, out, _ = say(capsys, "check", str(good))
    assert (code, len(out.splitlines())) == (0, 1)
    assert f"{good} on cpu: runs, all 49 nodes; its outputs differ from those of ONNX Runtime by 0.0e+00" in out


def test_an_operator_that_no_runtime_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(raw_model("NoSuchOperator", domain="com.microsoft"), tmp_path / "net.onnx")
    (found,) = checked(capsys, 4, path)
    assert (found["supported"], found["parity_max_abs"]) == (False, None)
    assert "NoSuchOperator" in found["reason"]
    (row,) = found["operators"]
    assert list(row) == ["name", "kind", "verdict", "reason", "remedy", "unit"]
    assert (row["name"], row["kind"], row["verdict"]) == ("logits", "com.microsoft.NoSuchOperator", "unsupported")
    assert row["reason"]
    assert row["remedy"]
    code, out, _ = say(capsys, "check", str(path))
    assert code == 4
    assert f"{path} on cpu: does not run: " in out
    assert f"unsupported: com.microsoft.NoSuchOperator logits: {row['reason']}; {row['remedy']}\n" in out


def test_one_device_that_lacks_an_operator_is_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("openvino")
    path = saved(chain("Relu", "Det", reads="float[2, 3, 3]"), tmp_path / "net.onnx")
    cpu, openvino = checked(capsys, 4, path, "-d", "cpu", "-d", "openvino")
    assert (cpu["supported"], openvino["supported"]) == (True, False)
    assert [row["verdict"] for row in openvino["operators"]] == ["supported", "unsupported"]
    assert "Det" in openvino["operators"][1]["reason"]


@pytest.mark.parametrize(("kind", "reason"), [("Softplus", "SIGSEGV"), ("Selu", "as NaN or infinity instead of 0")])
def test_a_runtime_with_an_error_costs_one_answer(
    kind: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved(chain("Relu", kind), tmp_path / "net.onnx")
    picky, cpu = checked(capsys, 4, path, "-d", "picky", "-d", "cpu")
    assert [row["verdict"] for row in picky["operators"]] == ["supported", "unsupported"]
    assert reason in picky["operators"][1]["reason"]
    assert picky["parity_max_abs"] is None
    assert cpu["supported"], "the next device is asked as if nothing had happened"


def test_what_is_unsupported_comes_before_what_is_unknown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kinds = ["Relu", "com.microsoft.Aaa", *["Exp"] * 6]
    _, out, _ = say(capsys, "check", str(saved(chain(*kinds), tmp_path / "net.onnx")))
    lines = [line for line in out.splitlines() if line.startswith("un")]
    assert [line.split(":")[0] for line in lines] == ["unsupported", "unknown"]
    assert lines[1].startswith("unknown: Exp the_exp, Exp the_exp, Exp the_exp, Exp the_exp and 2 more: ")
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in out.splitlines() if "│" in line]
    assert cells == [["Exp", "unknown", "6"], ["Relu", "supported", "1"], ["com.microsoft.Aaa", "unsupported", "1"]]


def test_operators_that_run_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(chain("Sin", "Cos"), tmp_path / "net.onnx")
    code, out, _ = say(capsys, "check", str(path), "-d", "picky")
    assert code == 4
    assert "does not run: no angle has both\n" in out
    assert "Every operator runs alone" in out


def test_other_numbers_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(chain("Elu"), tmp_path / "net.onnx")
    (found,) = checked(capsys, 0, path, "-d", "picky")
    assert found["parity_max_abs"] == pytest.approx(0.5)
    assert found["warnings"] == [
        "net.onnx: 100 % of an output differ from ONNX Runtime's on picky by more than rounding; compare the masks of "
        "real pictures before you use it there"
    ]


def test_nothing_to_compare_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("openvino")
    path = saved(chain("Erf", reads="double[4]", writes="double"), tmp_path / "net.onnx")
    code, out, _ = say(capsys, "check", str(path), "-d", "openvino")
    assert (code, out) == (
        0, f"{path} on openvino: runs, all 1 nodes; ONNX Runtime computes nothing to compare its outputs with.\n"
    )  # fmt: skip


def test_an_emulated_device_says_so(
    good: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.hardware.emulator", lambda: "qemu-arm")
    (found,) = checked(capsys, 0, good)
    assert found["hardware"].endswith("cores), emulated by qemu-arm")
    assert found["emulator"] == "qemu-arm"
    _, out, _ = say(capsys, "check", str(good))
    assert "on cpu (EMULATED by qemu-arm: its outputs count, its times mean nothing): runs" in out


def test_a_simulated_device_says_so(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = checked(capsys, 0, good, "-d", "simulated:noise=0.5")
    assert (found["device"], found["simulated"]) == ("simulated:noise=0.5", True)
    _, out, _ = say(capsys, "check", str(good), "-d", "simulated")
    assert "on simulated (SIMULATED: ONNX Runtime was asked): runs" in out


def slow(folder: Path) -> Path:
    """Weights among the inputs, and a ReLU that is a Clip."""
    model = small_net(size="side")
    relu = next(node for node in model.graph.node if node.op_type == "Relu")
    relu.op_type = "Clip"
    relu.input.append("low")
    first = model.graph.initializer[0]
    model.graph.input.append(helper.make_tensor_value_info(first.name, first.data_type, first.dims))
    model.graph.initializer.append(numpy_helper.from_array(np.float32(0), "low"))
    return saved(model, folder / "slow net.onnx")


def test_what_costs_time_for_nothing_and_what_mends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("openvino")
    path, workspace = slow(tmp_path), tmp_path / "ws"
    words = ("--workspace", str(workspace), "check", str(path), "--shape", "image=1x3x16x16")
    code, out, _ = say(capsys, *words, "-d", "cpu", "-d", "openvino", "--json", "--threads", "2")
    cpu, openvino = json.loads(out)
    assert code == 0
    assert cpu["lost_time"] == ["weights listed among the inputs: 1", "ReLU written as Clip(0, infinity): 1"]
    assert (openvino["lost_time"], openvino["fix"]) == ([], "")
    given = ("--device", "cpu", "--threads", "2", "--shape", "image=1x3x16x16")
    assert cpu["fix"] == shlex.join(["latseg", "--workspace", str(workspace), "fix", str(path), *given])
    _, out, _ = say(capsys, *words)
    ending = cpu["fix"].replace(" --threads 2", "")
    assert out.splitlines()[1:] == [
        f"Costs time for nothing: {cause}. Write a file without, and measure the gain: {ending}"
        for cause in cpu["lost_time"]
    ]
    code, _, err = say(capsys, *shlex.split(ending)[1:])
    assert code == 0, err
    (found,) = checked(capsys, 0, tmp_path / "slow net-fixed.onnx", "--shape", "image=1x3x16x16")
    assert found["lost_time"] == []


def test_an_input_that_decides_sizes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = '<ir_version: 8, opset_import: ["" : 17]> g (float[4] x, int64[1] n) => (float[m] y) { y = Tile(x, n) }'
    path = saved(onnx.parser.parse_model(text), tmp_path / "net.onnx")
    assert "values of input 'n' decide sizes" in checked(capsys, 0, path)[0]["warnings"][0]
    assert checked(capsys, 0, path, "--input", "n=3")[0]["warnings"] == []


def test_the_python_interface_says_the_same(good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (document,) = checked(capsys, 0, good)
    found = latseg.Workspace(tmp_path / "ws").device("cpu").check(good)
    assert found.supported
    assert found.operators[0]["verdict"] is Verdict.SUPPORTED
    assert {**found.to_json(), "fix": "", "warnings": []} == document
    assert not (tmp_path / "ws").exists(), "nothing is kept"


def test_bad_files_and_devices(tmp_path: Path, good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        (str(tmp_path / "gone.onnx"),),
        (str(saved(small_net(size="side"), tmp_path / "dynamic.onnx")),),
        (str(good), "--shape", "other=1x3x8x8"),
        (str(good), "--device", "cqu"),
    ):
        code, out, err = say(capsys, "check", *words)
        assert (code, out, err.count("\n")) == (2, "", 1), words


def test_a_device_that_is_not_there_ends_the_command_before_anything_runs(
    good: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_: Device) -> None:
        raise DeviceUnavailableError("device 'openvino'", seen="nothing", expected="it", remedy="install it")

    monkeypatch.setattr("devices.backends.ov.device.OpenVinoDevice.info", missing)
    monkeypatch.setattr("latency.model_support.model_support", lambda *_, **__: pytest.fail("something ran"))
    code, out, err = say(capsys, "check", str(good), "-d", "cpu", "-d", "openvino")
    assert (code, out) == (5, "")
    assert err == "latseg: device 'openvino': got nothing; expected it; install it\n"


def test_a_reader_that_ends_early_is_no_error(good: Path) -> None:
    line = f"{sys.executable} -m latseg check {shlex.quote(str(good))} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=dict(os.environ), check=False)
    assert (done.stdout, done.stderr) == ("141\n", "")


CHECK_OPTIONS = {
    "--device": (("simulated:noise=0.5",), {"device"}),
    "--threads": (("2",), {"device"}),
    "--shape": (("x=1x3x16x16",), {"shapes"}),
    "--input": (("x=0.5",), {"values"}),
    "--seed": (("5",), {"seed"}),
}


def check_arguments(monkeypatch: pytest.MonkeyPatch, model: Path, *words: str) -> dict[str, Any]:
    given: dict[str, Any] = {}

    def model_support(device: Device, candidate: Any, *, seed: int) -> None:
        info = device.info()
        given.update(device=(info.name, info.threads), seed=seed, path=candidate.path)
        given.update(shapes=candidate.input_shapes, values=candidate.input_values)
        raise StopError

    monkeypatch.setattr("latency.model_support.model_support", model_support)
    assert run("check", str(model), *words) == StopError.exit_code
    return given


@pytest.mark.parametrize("option", list(CHECK_OPTIONS))
def test_check_options(option: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = saved(chain("Relu", reads="float[1, 3, h, w]"), tmp_path / "net.onnx")
    values, expected = CHECK_OPTIONS[option]
    plain, changed = (check_arguments(monkeypatch, path, *words) for words in ((), (option, *values)))
    assert {key for key in plain if plain[key] != changed[key]} == expected
    assert plain["path"] == path


def test_every_check_option_is_tested() -> None:
    # --allow-fallback: tests/devices/worker/test_compiled_target.py
    assert options_of("check") == {*CHECK_OPTIONS, "--allow-fallback"}
