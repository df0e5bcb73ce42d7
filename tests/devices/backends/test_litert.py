"""LiteRT without its converter; ``test_litert_device.py`` needs both."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from devices.backends.litert import converter
from devices.backends.litert.device import LiteRtDevice
from devices.backends.litert.installation import LiteRtConverter
from devices.backends.litert.net import TfliteNet, TfliteOperator
from devices.backends.litert.profile import timed_layers
from devices.backends.litert.profiler import Event, _library
from devices.backends.litert.signature import Output
from devices.device import Candidate
from devices.measurement import FailedMeasurement
from devices.worker import environment_program
from devices.worker.runtime import ModelFailedError
from devices.xnnpack_kernels import operators_of_kernels
from foundation.errors import DeviceUnavailableError, UserError
from latseg.testing.device_contract import FAST
from latseg.testing.nets import raw_model, saved, small_net
from tests.search.teachers.tflite_net import tflite_teacher

SIGNED = """
import json, sys
from pathlib import Path
import numpy as np
from devices.backends.litert.session import LiteRtSession
from devices.backends.litert.signature import Output, Signature, with_signature
path, image = Path(sys.argv[1]), np.random.default_rng(0).random((1, 32, 32, 3)).astype(np.float32)
raw = LiteRtSession(path, 1).infer({"image": image})[0]
signature = Signature((("image", (32, 32, 3)),), (Output("person", (1, 1, 32, 32), True),))
path.write_bytes(with_signature(with_signature(path.read_bytes(), signature), signature))
session = LiteRtSession(path, 1)
(answer,) = session.infer({"image": image[0]})
signed = path.read_bytes().count(b"latseg.signature")
equal = np.array_equal(answer[0, 0], raw[0, :, :, 0])
print("\\n" + json.dumps([session.input_shapes, answer.shape, equal, signed]))
"""


def printed(code: str, *arguments: object) -> str:
    """The last line that a fresh interpreter prints: LiteRT itself is not loaded into the process of the tests."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return run.stdout.splitlines()[-1]


def test_a_file_carries_what_the_onnx_model_says(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    shown = printed(SIGNED, tflite_teacher(tmp_path / "net.tflite"))
    assert shown == '[[["image", [32, 32, 3]]], [1, 1, 32, 32], true, 1]'


def test_channels_move_back_and_scalars_lose_their_axis() -> None:
    value = np.arange(24).reshape(1, 3, 4, 2)
    assert np.array_equal(Output("y", (1, 2, 3, 4), True).restored(value), value.transpose(0, 3, 1, 2))
    assert Output("s", (), False).restored(np.ones(1)).shape == ()


FC, COPY, ADD, CLAMP = "Fully Connected (NC, F32) GEMM", "Copy (NC, X32)", "Add (ND)", "Clamp (NC)"


@pytest.mark.parametrize(
    ("kernels", "kinds", "places"),
    [
        ([FC, ADD], ["PAD", "CONV_2D", "RELU", "ADD"], [1, 3]),  # others were fused
        ([COPY, COPY, FC, COPY, COPY], ["CONCATENATION", "CONV_2D", "CONCATENATION"], [0, 0, 1, 2, 2]),
        ([FC, COPY], ["CONCATENATION", "CONV_2D", "CONCATENATION"], [1, 2]),  # the first one moves nothing
        ([FC, "Unheard Of (NC)", ADD], ["CONV_2D", "ADD"], [0, 0, 1]),
        (["Unheard Of (NC)", FC], ["CONV_2D"], [0, 0]),
        (["Transpose (ND, X32) Transpose", "Deconvolution (NHWC, F32)"], ["TRANSPOSE", "TRANSPOSE_CONV"], [0, 1]),
        (["HardSwish (NC)", "Depth To Space (NHWC, X32)"], ["HARD_SWISH", "DEPTH_TO_SPACE"], [0, 1]),
        ([FC, FC, ADD, CLAMP], ["CONV_2D", "RELU", "CONV_2D", "ADD", "RELU"], [0, 2, 3, 4]),
        ([], ["PAD"], []),
    ],
)
def test_kernels_belong_to_the_operators_that_they_compute(
    kernels: list[str], kinds: list[str], places: list[int]
) -> None:
    assert operators_of_kernels(kernels, kinds) == places


def test_operators_get_the_times_of_their_kernels() -> None:
    operators = [
        TfliteOperator(kind, (place,), (place + 1,)) for place, kind in enumerate(["PAD", "CONV_2D", "CEIL", "ADD"])
    ]
    events = [
        [Event(FC, us, None), Event("CEIL", 3, 2), Event(ADD, 7, None), Event("Unheard Of (NC)", 2, None)]
        for us in (11, 13, 11, 13)
    ]
    graph, times = timed_layers(TfliteNet(tuple(operators), {0: "x"}, {4: "y"}), events)
    assert [layer.kind for layer in graph.layers] == ["PAD", FC, "CEIL", f"{ADD}+Unheard Of (NC)"]
    assert [time.own_ms for time in times] == pytest.approx([0, 0.0125, 0.0035, 0.010])


def test_a_branch_beside_an_operator_of_litert_runs_before_it() -> None:
    """XNNPACK takes the convolution and the hard-swish at once."""
    read = {"CONV_2D": ((0,), (1,)), "CEIL": ((1,), (2,)), "HARD_SWISH": ((1,), (3,)), "ADD": ((2, 3), (4,))}
    operators = tuple(TfliteOperator(kind, *tensors) for kind, tensors in read.items())
    events = [Event(FC, 1, None), Event("HardSwish (NC)", 2, None), Event("CEIL", 3, 1), Event(ADD, 4, None)]
    graph, times = timed_layers(TfliteNet(operators, {0: "x"}, {4: "y"}), [events])
    assert [layer.kind for layer in graph.layers] == [FC, "CEIL", "HardSwish (NC)", ADD]
    assert [time.own_ms for time in times] == pytest.approx([0.0015, 0.0035, 0.0025, 0.0045])


def test_kernels_without_an_operator_are_no_profile() -> None:
    operator = TfliteOperator("CEIL", (0,), (1,))
    with pytest.raises(ModelFailedError, match="no operator is known for the kernel 'Add"):
        timed_layers(TfliteNet((operator,), {0: "x"}, {1: "y"}), [[Event(ADD, 1, None), Event("CEIL", 1, 0)]])


@pytest.mark.parametrize(
    ("runs", "reason"),
    [
        ([[Event("CEIL", 1, 0)], []], "traced 0 or 1 kernels"),
        ([], "traced no kernels"),
        ([[Event("CEIL", 1, 0), Event("CEIL", 1, 1)]], "names operator 1 of 1"),
    ],
)
def test_another_trace_than_that_of_the_file_is_no_profile(runs: list[list[Event]], reason: str) -> None:
    operator = TfliteOperator("CEIL", (0,), (1,))
    with pytest.raises(ModelFailedError, match=reason):
        timed_layers(TfliteNet((operator,), {0: "x"}, {1: "y"}), runs)


def test_another_version_of_litert_has_no_operator_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its structures may be others; the worker then says so and goes on."""
    monkeypatch.setattr("devices.backends.litert.profiler.metadata.version", lambda _: "9.0")
    with pytest.raises(ModelFailedError, match=r"no profiler is known for LiteRT 9\.0"):
        _library()


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The interpreter of an installation that is only said to be complete: a program that tests write."""
    monkeypatch.setenv("LATSEG_RUNTIMES", str(tmp_path))
    installation = LiteRtConverter()
    installation.python.parent.mkdir(parents=True)
    (installation.folder / "latseg.txt").write_text(installation.recipe)
    installation.python.touch(0o755)
    return installation.python


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("echo 'a bar 100 %' >&2; echo 'no such thing' >&2; exit 3", "no such thing"),
        ("exit 1", "no reason"),
        ("kill -SEGV $$", "crashed with SIGSEGV"),
        ("exec sleep 60", "not done after 0.5 s"),
        ("sleep 0.3; ulimit -d | sed 's/[0-9][0-9]*/limited/' >&2; exit 3", " limited;"),  # to the memory that is free
    ],
)
def test_a_converter_that_fails_costs_the_measurement(
    program: str, reason: str, fake: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake.write_text(f"#!/bin/sh\n{program}\n")
    monkeypatch.setattr(environment_program, "_TIMEOUT_S", 0.5 if "sleep" in program else 60)
    path = saved(small_net(), tmp_path / "small.onnx")
    with pytest.raises(UserError, match=reason):
        converter.convert(path, tmp_path / "small.tflite")
    monkeypatch.setattr("devices.worker.device.find_spec", lambda _: True)
    monkeypatch.setattr("devices.worker.device.package_version", lambda _: "1")
    (result,) = LiteRtDevice().measure([Candidate("small", path)], nominal_reference_ms=1.0, protocol=FAST)
    assert isinstance(result, FailedMeasurement)
    assert reason in result.reason


def test_text_is_refused_before_it_is_converted(fake: Path, tmp_path: Path) -> None:
    model = raw_model("Identity")
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.elem_type = 8
    with pytest.raises(UserError, match="an input of text"):
        converter.convert(saved(model, tmp_path / "text.onnx"), tmp_path / "text.tflite")


def test_what_is_missing_names_the_command_that_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATSEG_RUNTIMES", str(tmp_path))
    monkeypatch.setattr("devices.worker.device.find_spec", lambda _: object())
    device = LiteRtDevice()
    assert device.availability().remedy == "latseg install litert"
    with pytest.raises(DeviceUnavailableError, match="latseg install litert"):
        device.info()
    with pytest.raises(UserError, match="latseg install litert"):
        converter.convert(saved(small_net(), tmp_path / "small.onnx"), tmp_path / "small.tflite")
    monkeypatch.setattr("devices.worker.device.find_spec", lambda _: None)
    assert device.availability().remedy == 'pip install "latseg[litert]"'
