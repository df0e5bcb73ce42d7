"""Runs one of these functions with a model: ``python -m ... FUNCTION MODEL``, which prints JSON.

A program of its own, because a runtime must not be loaded into the process of the tests.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from devices.backends.ncnn.calls import Net
from devices.backends.ncnn.convert import PARAM_NAME, convert_to_ncnn
from devices.backends.ncnn.runtime import NcnnModel
from devices.model_file import check_model
from devices.model_inputs import model_inputs, random_inputs
from devices.worker.runtime import ModelFile


def idle_share(param: Path, onnx: Path) -> float:
    """CPU time over wall time of a process that has just run the model with two threads and waits."""
    model = NcnnModel(ModelFile(param, onnx, model_inputs(check_model(onnx), ())), threads=2)
    idle = 0.0
    for _ in range(20):
        model.run()
        start = time.process_time()
        time.sleep(0.01)
        idle += time.process_time() - start
    return idle / 0.2


def held_arrays(param: Path, onnx: Path) -> bool:
    """Whether outputs stay the same though memory of numpy is used again, and layers may work in place."""
    net = Net(param, 1)
    inputs = random_inputs(model_inputs(check_model(onnx), ()))
    feeds = net.feeds({name: values.astype(np.float64) for name, values in inputs.items()})
    outputs = []
    for _ in range(3):
        filled = [np.full(values.shape, np.nan, np.float32) for values in inputs.values() for _ in range(20)]
        outputs.append(np.array(net.run(feeds)[0].numpy()))
        del filled
    return all(np.array_equal(outputs[0], output) for output in outputs) and bool(np.isfinite(outputs[0]).all())


def profile_ratio(param: Path, onnx: Path) -> float:
    """Sum of the operators' own times over the time of a run."""
    model = NcnnModel(ModelFile(param, onnx, model_inputs(check_model(onnx), ())), threads=1)
    model.time_block(3)
    profile = model.profile(10)
    return sum(row.own_ms or 0.0 for row in profile.operators) / model.time_block(10).run_ms


def own_shares(param: Path, onnx: Path) -> list[float]:
    """Of each operator: its own time, less that of bringing inputs into a layout, as a share of its time."""
    model = NcnnModel(ModelFile(param, onnx, model_inputs(check_model(onnx), ())), threads=1)
    rows = model.profile(20).operators
    return [(row.own_ms or 0.0) / row.ms for row in rows]


def main() -> None:
    """Entry point."""
    name, model = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        param = Path(folder, PARAM_NAME)
        convert_to_ncnn(Path(model), param)
        sys.stdout.write(json.dumps({"answer": globals()[name](param, Path(model))}))


if __name__ == "__main__":
    main()
