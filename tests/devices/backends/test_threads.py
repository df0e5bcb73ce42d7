"""A runtime uses the threads that it was given, whatever else the machine does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from devices.backends.ort.calls import session_options
from devices.registry import get_device
from latseg.testing.nets import heavy_net, saved

ROOT = Path(__file__).parents[3]


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the kernel keeps no scheduler statistics")
@pytest.mark.parametrize("name", ["cpu", "litert", "mnn", "ncnn", "openvino"])
def test_the_work_is_done_by_as_many_threads_as_were_asked_for(name: str, tmp_path: Path) -> None:
    if not get_device(name).availability().available:
        pytest.skip(f"{name} is not available")
    path = saved(heavy_net(), tmp_path / "heavy.onnx")
    command = [sys.executable, "-m", "tests.devices.backends.thread_shares", name, str(path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    one, two = json.loads(next(line for line in run.stdout.splitlines() if line.startswith("[")))  # MNN prints, too
    assert one > 0.9
    assert two < 0.85


def test_onnx_runtime_never_spins() -> None:
    """Threads that wait actively take CPU time from the threads that compute."""
    options = session_options(2)
    for pool in ("intra_op", "inter_op"):
        assert options.get_session_config_entry(f"session.{pool}.allow_spinning") == "0"
