import math
import subprocess
import sys
from pathlib import Path

import pytest

from devices.measurement import Block, OperatorTime
from devices.model_inputs import ModelInput
from devices.protocol import MeasurementProtocol
from devices.worker import messages
from devices.worker.runtime import ModelFile, OperatorProfile
from devices.worker.timing import Timing

FILE = ModelFile(Path("/a/net.ncnn"), Path("/a/net.onnx"), (ModelInput("image", (1, 3, 8, 8), "float32"),))
TIMING = Timing((Block(3, 1.5, 1.0, 0.25),), 1.5, (1.25, math.inf), 9.0, 1.0, converged=False, cpu_per_wall=1.0)
ROWS = (OperatorTime("Conv", ("a", "b"), ("image",), 0.5, (1, 8, 4, 4), None, "NPU"),)


@pytest.mark.parametrize(
    "request_",
    [
        messages.Measure(FILE, (FILE, FILE), MeasurementProtocol(block_ms=3.0, normalise=False), 7),
        messages.Continue(),
        messages.Load("/a/net.onnx", 5.0),
        messages.Infer(["image"], "/a/feeds.npz", "/a/outputs.npz", 5.0),
    ],
)
def test_requests_arrive_as_they_were_sent(request_: messages.Request) -> None:
    line = messages.encode(request_)
    assert line.count(b"\n") == 1
    assert messages.decode_request(line) == request_


@pytest.mark.parametrize(
    "answer",
    [
        messages.Step(-1),
        messages.Timed(2, TIMING),
        messages.Profiled(1, OperatorProfile("profiler", ROWS, 4096)),
        messages.Failed(0, "no such operator"),
        messages.Loaded((("image", (1, 3, None, None)),), 1.5),
        messages.Done(),
        messages.Done(2**40),
    ],
)
def test_answers_arrive_as_they_were_sent(answer: messages.Answer) -> None:
    assert messages.decode_answer(messages.encode(answer)) == answer


def test_a_line_that_is_no_message_is_refused() -> None:
    with pytest.raises(ValueError, match="kind"):
        messages.decode_answer(b'{"kind": "unknown"}\n')


def test_a_worker_starts_without_pydantic() -> None:
    code = "import sys, devices.worker.main; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
