"""Prints the busiest thread's share of the CPU time for one and for two threads: ``python -m ... DEVICE MODEL``.

A program of its own, because a runtime must not be loaded into the process of the tests: with OpenVINO in it, Ctrl-C
ends the process with a segmentation fault.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

from devices.model_inputs import ModelInput
from devices.registry import get_device
from devices.worker.device import ProcessDevice
from devices.worker.runtime import LoadedModel, ModelFile, Runtime

_TASKS = Path("/proc/self/task")
BLOCKS = 10
"""The least share counts: where another program has a core, the thread on the other one gets most of the work."""


def _cpu_ns() -> dict[str, int]:
    """CPU time by thread of this process (first field of schedstat)."""
    return {task.name: int((task / "schedstat").read_text().split()[0]) for task in _TASKS.iterdir()}


def busiest_share(device: ProcessDevice, path: Path, threads: int) -> float:
    module, _, kind = device.runtime.partition(":")
    runtime: Runtime = getattr(importlib.import_module(module), kind)(threads)
    model = runtime.load(ModelFile(device.convert(path), path, (ModelInput("image", (1, 256, 16, 16), "float32"),)))
    model.time_block(3)
    return min(_share_in_a_block(model) for _ in range(BLOCKS))


def _share_in_a_block(model: LoadedModel) -> float:
    before = _cpu_ns()
    model.time_block(20)
    spent = [after - before.get(thread, 0) for thread, after in _cpu_ns().items()]
    return max(spent) / sum(spent)


if __name__ == "__main__":
    found = get_device(sys.argv[1])
    assert isinstance(found, ProcessDevice)
    shares = [busiest_share(found, Path(sys.argv[2]), threads) for threads in (1, 2)]
    sys.stdout.write(f"\n{json.dumps(shares)}\n")
