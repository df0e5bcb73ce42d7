"""A runtime uses the threads that it was given, whatever else the machine does."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from devices.backends.ort.calls import session_options
from devices.model_inputs import ModelInput
from devices.registry import get_device
from devices.worker.device import ProcessDevice
from devices.worker.runtime import ModelFile, Runtime
from latseg.testing.nets import heavy_net, saved

_TASKS = Path("/proc/self/task")


def _cpu_ns() -> dict[str, int]:
    """CPU time by thread of this process (first field of schedstat)."""
    return {task.name: int((task / "schedstat").read_text().split()[0]) for task in _TASKS.iterdir()}


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the kernel keeps no scheduler statistics")
@pytest.mark.parametrize("name", ["cpu", "openvino"])
def test_the_work_is_done_by_as_many_threads_as_were_asked_for(name: str, tmp_path: Path) -> None:
    device = get_device(name)
    assert isinstance(device, ProcessDevice)
    if not device.availability().available:
        pytest.skip(f"{name} is not available")
    path = saved(heavy_net(), tmp_path / "heavy.onnx")
    module, _, kind = device.runtime.partition(":")
    shares = {}
    for threads in (1, 2):
        runtime: Runtime = getattr(importlib.import_module(module), kind)(threads)
        model = runtime.load(ModelFile(path, path, (ModelInput("image", (1, 256, 16, 16), "float32"),)))
        model.time_block(3)
        before = _cpu_ns()
        model.time_block(20)
        spent = [after - before.get(thread, 0) for thread, after in _cpu_ns().items()]
        shares[threads] = max(spent) / sum(spent)
    assert shares[1] > 0.9
    assert shares[2] < 0.85


def test_onnx_runtime_never_spins() -> None:
    """Threads that wait actively take CPU time from the threads that compute."""
    options = session_options(2)
    for pool in ("intra_op", "inter_op"):
        assert options.get_session_config_entry(f"session.{pool}.allow_spinning") == "0"
