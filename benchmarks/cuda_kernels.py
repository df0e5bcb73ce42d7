"""What choosing kernels by timing them (``torch.backends.cudnn.benchmark``) does to repeatability on a GPU.

The same random nets of ``portrait`` in several processes, with and without that choice, one after the other. For each
net: the median of five ratios to the reference net, the median time of a run, and for the first net the sum of its
operators' times over the time of a run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import onnx
import torch
from runtimes import graphs, saved

from devices.backends.cuda.runtime import Cuda, TorchModel
from devices.model_inputs import model_inputs
from devices.reference_net import REFERENCE_NET
from devices.statistics import spread_percent
from devices.worker.runtime import ModelFile
from provenance import RESULTS, provenance, write_result

RESULT = RESULTS / "cuda_kernels.json"
BLOCKS, RUNS = 5, 60


def loaded(path: Path) -> TorchModel:
    """On the GPU."""
    return TorchModel(ModelFile(path, path, model_inputs(onnx.load(path), ())), "cuda")


def one_process(timed_choice: bool, nets: int) -> list[dict[str, float]]:
    """A row for each net."""
    Cuda(1)
    torch.backends.cudnn.benchmark = timed_choice
    reference, rows = loaded(REFERENCE_NET), list[dict[str, float]]()
    with tempfile.TemporaryDirectory() as folder:
        for number, graph in enumerate(graphs(nets, 7)):
            model = loaded(saved(graph, Path(folder, f"{number}.onnx")))
            blocks = [(model.time_block(RUNS).run_ms, reference.time_block(RUNS).run_ms) for _ in range(BLOCKS)]
            row = {"ratio": median(a / b for a, b in blocks), "ms": median(a for a, _ in blocks)}
            if number == 0:
                row["operators_over_run"] = sum(each.ms for each in model.profile(5).operators) / row["ms"]
            rows.append(row)
    return rows


def summary(processes: list[dict[str, Any]]) -> dict[str, Any]:
    """Spread of the ratios over processes and mean times, by setting and net."""
    found: dict[str, Any] = {}
    for timed in (False, True):
        rows = [each["nets"] for each in processes if each["timed_choice"] == timed]
        by_net = list(zip(*rows, strict=True))
        found["timed" if timed else "by rules"] = {
            "spread_percent": [spread_percent([row["ratio"] for row in net]) for net in by_net],
            "ms": [median(row["ms"] for row in net) for net in by_net],
        }
    return found


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--nets", type=int, default=3)
    parser.add_argument("--one", choices=("timed", "rules"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one_process(options.one == "timed", options.nets)))
        return
    processes = []
    for _ in range(options.processes):
        for name in ("rules", "timed"):
            words = [sys.executable, __file__, "--one", name, "--nets", str(options.nets)]
            rows = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
            processes.append({"timed_choice": name == "timed", "nets": rows})
    document = {
        "benchmark": "cuda_kernels", "gpu": torch.cuda.get_device_name(), "processes": processes,
        **summary(processes), "goals": [],
    }  # fmt: skip
    write_result(RESULT, document | provenance())


if __name__ == "__main__":
    main()
