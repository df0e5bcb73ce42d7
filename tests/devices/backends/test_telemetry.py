"""Runtimes send nothing to their vendors and write nothing beside what was asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from latseg.testing.nets import saved, small_net

INFER = """
import sys
from importlib.util import find_spec
from pathlib import Path
import numpy as np
from devices.registry import get_device
get_device(sys.argv[1]).infer(Path(sys.argv[2]), {"image": np.zeros((1, 3, 32, 32), np.float32)})
"""
THREADS = """
import os, sys, time
from devices.backends.ort.calls import open_session, session_options
session = open_session(sys.argv[2], session_options(1))
time.sleep(0.5)
print(len(os.listdir("/proc/self/task")))
"""


def run(code: str, device: str, model: Path, home: Path) -> str:
    """What a fresh interpreter prints that has nothing in its home and temporary folders."""
    folders = {name: str(home) for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "TMPDIR")}
    inherited = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    environment = inherited | folders | {"OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code, device, str(model)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.mark.parametrize(
    ("device", "runtime"), [("cpu", "onnxruntime"), ("mnn", "MNN"), ("ncnn", "ncnn"), ("openvino", "openvino")]
)
def test_a_runtime_leaves_no_file(device: str, runtime: str, tmp_path: Path) -> None:
    if not find_spec(runtime):
        pytest.skip(f"{runtime} is not installed")
    home = tmp_path / "home"
    home.mkdir()
    run(INFER, device, saved(small_net(), tmp_path / "small.onnx"), home)
    assert [path.name for path in home.rglob("*")] == []


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts the threads that Linux lists")
def test_onnx_runtime_has_no_thread_of_its_own(tmp_path: Path) -> None:
    assert run(THREADS, "cpu", saved(small_net(), tmp_path / "small.onnx"), tmp_path) == "1\n"
