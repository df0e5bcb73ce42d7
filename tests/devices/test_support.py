"""What ``Device.support`` makes of the ways in which a runtime fails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from devices.support import Verdict
from devices.worker.device import ProcessDevice
from foundation.errors import DeviceUnavailableError
from latseg.testing.nets import raw_model, saved

FEEDS = {"image": np.zeros((1, 8), np.float32)}


class Misbehaving(ProcessDevice):
    name = "misbehaving"
    runtime = "tests.devices.worker.misbehaving:MisbehavingRuntime"
    package = "onnxruntime"
    install = "not needed"


class Missing(Misbehaving):
    package = "no_such_package"


def file(folder: Path, name: str) -> Path:
    return saved(raw_model("Relu"), folder / f"{name}.onnx")


@pytest.mark.parametrize(
    ("name", "reason"), [("refused", "no such operator"), ("segfault", "SIGSEGV"), ("hangs-in-use", "hung: one step")]
)
def test_a_failure_is_an_answer_and_harms_no_other_file(
    name: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = Misbehaving()
    assert device.support(file(tmp_path, "good"), FEEDS).verdict is Verdict.SUPPORTED
    if name == "hangs-in-use":  # the worker of the good file has the usual limit
        monkeypatch.setattr("devices.worker.device.INFERENCE_TIMEOUT_S", 2.0)
        device = Misbehaving()
    answer = device.support(file(tmp_path, name), FEEDS)
    assert (answer.verdict, answer.outputs) == (Verdict.UNSUPPORTED, None)
    assert reason in answer.reason
    good = device.support(file(tmp_path, "good"), FEEDS)
    assert good.outputs is not None
    np.testing.assert_array_equal(good.outputs[0], 2 * FEEDS["image"])


def test_a_device_that_is_not_there_answers_nothing(tmp_path: Path) -> None:
    with pytest.raises(DeviceUnavailableError, match="no_such_package is not installed"):
        Missing().support(file(tmp_path, "good"), FEEDS)


def test_the_words_are_those_of_the_command() -> None:
    assert [str(verdict) for verdict in Verdict] == ["supported", "partial", "falls back", "unsupported", "unknown"]
