"""Compilers in a worker process: what they accept, where operators run, and what a failure leaves behind."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typing_extensions import override

from devices.device import Candidate
from devices.registry import COMPILED_TARGETS
from devices.support import Verdict
from devices.worker.transport import LocalTransport
from foundation.errors import DeviceUnavailableError, UserError
from latency.model_support import model_support
from latseg.testing.nets import raw_model, saved
from tests.devices.worker.compiling import NowhereTarget, PickyTarget
from tests.latency.test_model_support import chain
from tests.latseg.command_line import say

FEEDS = {"image": np.linspace(-1, 1, 192, dtype=np.float32).reshape(1, 3, 8, 8)}


@pytest.fixture(autouse=True)
def tests_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker imports its compiler from the tests, so it runs with the path of this process."""

    class Own(LocalTransport):
        @override
        def __init__(self, *, python: Path) -> None:
            super().__init__()

    monkeypatch.setattr("devices.worker.compiled_target.LocalTransport", Own)


def test_a_model_is_compiled_written_and_run_in_the_emulator(tmp_path: Path) -> None:
    target, path = PickyTarget(), saved(raw_model("Sin"), tmp_path / "net.onnx")
    assert target.compile(path, FEEDS, tmp_path / "artifact") == ("npu",)
    assert (tmp_path / "artifact").read_text() == "Sin"
    answer = target.support(path, FEEDS)
    assert (answer.verdict, answer.units, answer.unit) == (Verdict.SUPPORTED, ("npu",), "npu")
    assert answer.outputs is not None
    np.testing.assert_allclose(answer.outputs[0], np.sin(FEEDS["image"]), rtol=1e-6)
    assert target.info().runtime_version == "7"


@pytest.mark.parametrize(("kind", "reason"), [("Tanh", "no room for Tanh"), ("Softplus", "SIGSEGV")])
def test_a_failure_is_an_answer_and_harms_no_later_model(kind: str, reason: str, tmp_path: Path) -> None:
    target = PickyTarget()
    answer = target.support(saved(raw_model(kind), tmp_path / "bad.onnx"), FEEDS)
    assert (answer.verdict, answer.outputs, answer.units) == (Verdict.UNSUPPORTED, None, ())
    assert reason in answer.reason
    assert target.support(saved(raw_model("Sin"), tmp_path / "good.onnx"), FEEDS).verdict is Verdict.SUPPORTED


def test_emulating_compiles_what_is_not_the_last_model(tmp_path: Path) -> None:
    target = PickyTarget()
    assert target.emulator is not None
    sine, cosine = (saved(raw_model(kind), tmp_path / f"{kind}.onnx") for kind in ("Sin", "Cos"))
    target.compile(cosine, FEEDS, tmp_path / "artifact")
    np.testing.assert_allclose(target.emulator.infer(sine, FEEDS)[0], np.sin(FEEDS["image"]), rtol=1e-6)


def test_operators_that_fall_back_are_named(tmp_path: Path) -> None:
    path = saved(chain("Sin", "Softsign", "Relu"), tmp_path / "net.onnx")
    found = model_support(PickyTarget(), Candidate("net", path))
    assert found.verdict is Verdict.FALLS_BACK
    assert found.reason == "1 of 3 operators run on the cpu and not on the npu"
    assert [(row.verdict, row.unit) for row in found.operators] == [
        (Verdict.SUPPORTED, "npu"),
        (Verdict.FALLS_BACK, "cpu"),
        (Verdict.SUPPORTED, ""),
    ]
    assert found.comparison is not None
    assert found.comparison.max_abs < 1e-6


def test_a_missing_compiler_names_the_command_that_installs_it(tmp_path: Path) -> None:
    target = NowhereTarget()
    assert target.emulator is None
    for ask in (target.info, lambda: target.support(saved(raw_model("Sin"), tmp_path / "net.onnx"), FEEDS)):
        with pytest.raises(DeviceUnavailableError, match="latseg install nowhere"):
            ask()


def test_a_runtime_is_no_compiler(tmp_path: Path) -> None:
    class NoCompiler(PickyTarget):
        runtime = "devices.backends.ort.runtime:OnnxRuntime"

    with pytest.raises(UserError, match="compiles nothing"):
        NoCompiler().compile(saved(raw_model("Sin"), tmp_path / "net.onnx"), FEEDS, tmp_path / "artifact")


def test_a_compiler_that_names_no_unit_has_converted_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved(raw_model("Relu"), tmp_path / "net.onnx")
    answer = PickyTarget().placed(path, FEEDS)
    assert (answer.verdict, answer.units, answer.unit) == (Verdict.SUPPORTED, ("",), "")
    monkeypatch.setitem(COMPILED_TARGETS.targets, "picky-npu", "tests.devices.worker.compiling:PickyTarget")  # type: ignore[arg-type]
    code, out, _ = say(capsys, "check", str(path), "-d", "picky-npu")
    assert code == 0
    assert "converted, all 1 nodes; the unit of each is chosen on the device;" in " ".join(out.split())


def test_the_command_fails_for_a_fallback_unless_it_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(COMPILED_TARGETS.targets, "picky-npu", "tests.devices.worker.compiling:PickyTarget")  # type: ignore[arg-type]
    good = saved(raw_model("Sin"), tmp_path / "good.onnx")
    code, out, _ = say(capsys, "check", str(good), "-d", "picky-npu")
    assert code == 0
    assert "COMPILED for none" in out
    assert "on the npu" in out
    assert "in the compiler's emulator" in out
    part = str(saved(chain("Sin", "Softsign"), tmp_path / "part.onnx"))
    code, out, _ = say(capsys, "check", part, "-d", "picky-npu", "--json")
    (document,) = json.loads(out)
    assert (code, document["compiled"], document["supported"]) == (4, True, False)
    assert say(capsys, "check", part, "-d", "picky-npu", "--allow-fallback")[0] == 0
    refused = str(saved(chain("Sin", "Tanh"), tmp_path / "refused.onnx"))
    assert say(capsys, "check", refused, "-d", "picky-npu", "--allow-fallback")[0] == 4
