"""``latseg predict`` on the simulated device: known networks, foreign nets, other runtimes and other hardware."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.latseg.command_line import document, say
from tests.latseg.conftest import DEVICE


def test_predict_and_measure_on_the_simulated_device(
    capsys: pytest.CaptureFixture[str], workspace: Path, model: Path
) -> None:
    shared = ("--workspace", str(workspace))
    predicted = document(capsys, *shared, "predict", str(model), "-d", DEVICE)
    measured = document(capsys, *shared, "measure", str(model), "-d", DEVICE)
    assert {"latency_ms", "upper_ms", "operators", "unseen"} <= set(predicted)
    keys = {"latency_ms", "interval_ms", "p90_ms", "first_run_ms", "operators", "noise_floor_percent"}
    assert keys <= set(measured)
    assert measured["simulated"] is predicted["simulated"] is True
    assert measured["normalised"] is True
    _, out, _ = say(capsys, *shared, "predict", str(model), "-d", DEVICE)
    assert "SIMULATED" in out
    rows = document(capsys, *shared, "describe", "--random", "1", "-d", DEVICE)
    assert (rows[0]["device"], rows[0]["simulated"]) == (DEVICE, True)
    assert predicted["latency_ms"] == pytest.approx(measured["latency_ms"], rel=0.3)
    assert sum(row["ms"] for row in predicted["operators"]) + predicted["constant_ms"] == pytest.approx(
        predicted["latency_ms"], rel=1e-2
    )


def test_a_known_network_is_predicted(capsys: pytest.CaptureFixture[str], workspace: Path) -> None:
    words = ("--workspace", str(workspace), "predict", "--network", "unet:width=2", "--size", "64x32", "-d", DEVICE)
    predicted = document(capsys, *words, "--classes", "5")
    assert "MaxPool" in {row["kind"] for row in predicted["unseen"]}
    assert predicted["operators"][-1]["output"] == "5x64x32"
    _, out, _ = say(capsys, *words)
    assert out.startswith("unet:width=2 at 64x32: ")
    assert f"measure --network unet:width=2 --size 64x32 --classes 2 --device {DEVICE} && latseg " in out


def test_a_net_from_outside_the_space(capsys: pytest.CaptureFixture[str], workspace: Path, tmp_path: Path) -> None:
    """Its operators are named as unseen, measured, and then seen."""
    shared = ("--workspace", str(workspace))
    nodes = "h = Conv <kernel_shape = [3, 3], strides = [2, 2]> (x, w) p = MaxPool <kernel_shape = [2, 2]> (h)"
    signature = "(float[1, 3, height, 1024] x) => (float[1, 64, a, b] y)"
    foreign = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : 13]> g {signature} {{ {nodes} y = Softplus (p) }}'
    )
    foreign.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((64, 3, 3, 3), np.float32), "w"))
    path = tmp_path / "foreign.onnx"
    onnx.save(foreign, path)
    words = (str(path), "-d", DEVICE, "--shape", "x=1x3x512x1024")
    before = document(capsys, *shared, "predict", *words)
    assert {row["kind"] for row in before["unseen"]} >= {"MaxPool", "Softplus"}
    assert (before["calibrated"], before["seen_percent"] < 100) == (False, True)
    factor = before["upper_ms"] / before["latency_ms"]
    _, out, _ = say(capsys, *shared, "predict", *words)
    assert f"latseg --workspace {workspace} profile --device {DEVICE} --for {path} --shape x=1x3x512x1024" in out
    assert "no bound is calibrated for nets with operators never measured" in out
    assert "confidence" not in out
    profiled = document(capsys, *shared, "profile", "-d", DEVICE, "--for", str(path), "--shape", "x=1x3x512x1024")
    assert (profiled["models"], profiled["operators"], profiled["failed"]) == (0, 3, 0)
    document(capsys, *shared, "fit", "-d", DEVICE)
    after = document(capsys, *shared, "predict", *words)
    assert (after["calibrated"], after["unseen"], after["seen_percent"]) == (True, [], 100)
    assert {row["kind"] for row in after["measured_alone"]} >= {"MaxPool", "Softplus"}
    assert [row["known"] for row in after["operators"]][1:] == ["measured alone"] * 2
    narrower = after["upper_ms"] / after["latency_ms"]
    assert narrower < factor
    _, out, _ = say(capsys, *shared, "predict", *words)
    assert "never within a net" in out
    assert "% confidence" in out
    assert after["measured"] is None
    assert all(row["measured_ms"] is None for row in after["operators"])
    measured = document(capsys, *shared, "measure", *words)
    document(capsys, *shared, "fit", "-d", DEVICE)
    last = document(capsys, *shared, "predict", *words)
    assert (last["unseen"], last["measured_alone"]) == ([], [])
    assert last["upper_ms"] / last["latency_ms"] < narrower
    assert last["measured"]["latency_ms"] == measured["latency_ms"]
    times = [row["measured_ms"] for row in last["operators"]]
    assert sum(ms for ms in times if ms is not None) == pytest.approx(measured["latency_ms"], rel=0.02)
    assert all({"kind", "input", "output", "mflops", "ms"} <= set(row) for row in last["operators"])
    _, out, _ = say(capsys, *shared, "predict", *words)
    assert "measured_ms" in out
    assert "within a net" not in out


@pytest.fixture
def newer_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulated device under a version that was never profiled."""
    from dataclasses import replace

    from devices.backends.simulated.device import SimulatedDevice

    as_it_was = SimulatedDevice.info
    monkeypatch.setattr(SimulatedDevice, "info", lambda self: replace(as_it_was(self), runtime_version="99.0"))


@pytest.mark.usefixtures("newer_runtime")
def test_a_newer_runtime_is_warned_of(capsys: pytest.CaptureFixture[str], workspace: Path, model: Path) -> None:
    shared = ("--workspace", str(workspace), "--json", "--quiet")
    budgets = ("--max-latency", "100ms", "--samples", "20", "--size", "128x128")
    for words in (
        ("predict", str(model), "-d", DEVICE),
        ("compare", str(model), str(model), "-d", DEVICE, "--predicted"),
        ("feasibility", "-d", DEVICE, *budgets),
    ):
        code, out, err = say(capsys, *shared, *words)
        assert code == 0, err
        (warning,) = json.loads(out)["warnings"]
        assert "the device now has 99.0" in warning
        assert f"`latseg --workspace {workspace} profile --device {DEVICE}`" in warning
        assert err == f"warning: {warning}\n"


def test_without_another_version_there_is_no_warning(
    capsys: pytest.CaptureFixture[str], workspace: Path, model: Path
) -> None:
    assert document(capsys, "--workspace", str(workspace), "predict", str(model), "-d", DEVICE)["warnings"] == []


def test_a_predictor_of_other_hardware_is_refused(
    capsys: pytest.CaptureFixture[str], workspace: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from devices.backends.simulated.device import SimulatedDevice

    as_it_was = SimulatedDevice.info
    monkeypatch.setattr(SimulatedDevice, "info", lambda self: replace(as_it_was(self), hardware="elsewhere"))
    code, _, err = say(capsys, "--workspace", str(workspace), "predict", str(model), "-d", DEVICE)
    assert (code, err.count("\n")) == (2, 1)
    assert "expected hardware elsewhere" in err
