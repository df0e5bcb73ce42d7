"""What weights among the inputs of a model cost: the nets of ``outside_nets.py``, with and without, in one group each.

Writes ``benchmarks/results/listed_weights.json``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import onnx
from onnx import helper
from outside_nets import write_outside_nets

from devices.device import Candidate, Device
from devices.registry import get_device
from latency.measuring import measure_together
from latency.store import MeasurementStore
from provenance import RESULTS, provenance, save

RESULT = RESULTS / "listed_weights.json"


def listed(path: Path) -> Path:
    """The same net whose weights are listed among its inputs."""
    model = onnx.load(path)
    weights = model.graph.initializer
    model.graph.input.extend(helper.make_tensor_value_info(one.name, one.data_type, one.dims) for one in weights)
    other = path.with_stem(f"{path.stem}-listed")
    onnx.save(model, other)
    return other


def row(device: Device, name: str, path: Path, store: MeasurementStore) -> dict[str, Any]:
    """Milliseconds of both."""
    candidates = [Candidate("constant", path), Candidate("listed", listed(path))]
    constant, inputs = (one.latency_ms for one in measure_together(device, candidates, store))
    found = {"device": device.name, "net": name, "constant_ms": round(constant, 4), "listed_ms": round(inputs, 4)}
    return {**found, "times_as_long": round(inputs / constant, 2)}


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", nargs="+", default=["cpu", "openvino"])
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder, MeasurementStore(Path(folder) / "it.sqlite") as store:
        paths = write_outside_nets(Path(folder))
        for name in options.devices:
            for net, path in paths.items():
                rows.append(row(get_device(name), net, path, store))
                sys.stderr.write(f"{rows[-1]}\n")
    save(options.result, {"rows": rows, "provenance": provenance()})


if __name__ == "__main__":
    main()
