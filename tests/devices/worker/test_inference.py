from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from devices.worker.client import WorkerClient
from devices.worker.inference import InferenceProcess
from devices.worker.runtime import ModelFailedError, numbers
from devices.worker.transport import LocalTransport
from foundation.errors import UserError

RUNTIME = "tests.devices.worker.misbehaving:MisbehavingRuntime"
FEEDS = {"image": np.arange(6, dtype=np.float32).reshape(1, 6)}


@pytest.fixture
def process() -> Iterator[InferenceProcess]:
    made = InferenceProcess(WorkerClient(RUNTIME, 1, 60.0))
    yield made
    made.close()


def test_arrays_go_there_and_back(process: InferenceProcess) -> None:
    process.load(Path("good.onnx"), Path("good.onnx"))
    (doubled,) = process.infer(FEEDS)
    np.testing.assert_array_equal(doubled, 2 * FEEDS["image"])
    assert doubled.dtype == np.float32


def test_wrong_shape_is_refused_before_anything_runs(process: InferenceProcess) -> None:
    process.load(Path("good.onnx"), Path("good.onnx"))
    with pytest.raises(UserError, match=r"1x\?"):
        process.infer({"image": np.zeros((2, 3), np.float32)})


def test_refused_model_leaves_the_process_usable(process: InferenceProcess) -> None:
    with pytest.raises(ModelFailedError, match="no such operator"):
        process.load(Path("refused.onnx"), Path("refused.onnx"))
    with pytest.raises(ModelFailedError, match="no model is loaded"):
        process.infer({})
    process.load(Path("good.onnx"), Path("good.onnx"))
    assert len(process.infer(FEEDS)) == 1


def test_crash_is_reported_and_harms_nothing_else(process: InferenceProcess) -> None:
    process.load(Path("segfault.onnx"), Path("segfault.onnx"))
    with pytest.raises(ModelFailedError, match="SIGSEGV"):
        process.infer(FEEDS)


def test_holds_a_file_until_it_changes(process: InferenceProcess, tmp_path: Path) -> None:
    path = tmp_path / "good.onnx"
    path.touch()
    assert not process.holds(path)
    process.load(path, path)
    assert process.holds(path)
    os.utime(path, ns=(1, 1))
    assert not process.holds(path)


def test_process_ends_with_its_object() -> None:
    process = InferenceProcess(WorkerClient(RUNTIME, 1, 60.0))
    transport = process._worker.transport
    assert isinstance(transport, LocalTransport)
    pid = transport.pid
    del transport
    os.kill(pid, 0)
    del process
    gc.collect()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_outputs_that_would_fill_the_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.worker.runtime.MAX_OUTPUT_BYTES", 24)
    assert len(numbers([FEEDS["image"]])) == 1
    with pytest.raises(ModelFailedError, match="outputs of more than 24 bytes"):
        numbers([FEEDS["image"], np.zeros(1, np.uint8)])
