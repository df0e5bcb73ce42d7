"""What it costs to write the same net in another way, and whether the operator graph knows it.

Nets of ``outside_nets.py`` in the spellings of ``rewritings.py``. Each is compared with the original: its outputs, its
operator graph, and its latency, both timed in one group. A spelling with the same graph and another latency is one that
a predictor cannot know; one with another graph and the same latency is one that confuses it. Writes
``benchmarks/results/spellings.json``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from outside_nets import write_outside_nets
from rewritings import SPELLINGS

from devices.device import Candidate, Device
from devices.registry import get_device
from foundation.errors import UserError
from latency.measuring import measure_together
from latency.operators.from_onnx import from_onnx
from latency.operators.serialize import graph_digest
from latency.store import MeasurementStore
from provenance import RESULTS, provenance, write_result

RESULT = RESULTS / "spellings.json"
NETS = ("mobilenet-v2 at 160", "resnet at 128", "squeezenet at 160", "u-net at 128")
SAME_TIME = 1.05
_AGREEMENT = 0.05
"""Of the largest output: half precision computes with three digits."""


def graph_of(device: Device, path: Path) -> str:
    """Digest of the operator graph, or why there is none."""
    try:
        return graph_digest(from_onnx(path, listed_weights_are_inputs=device.listed_weights_are_inputs))
    except UserError as error:
        return f"none: {error}"


def distance(device: Device, first: Path, second: Path) -> float:
    """Largest difference of the outputs for a random input, as a share of the largest output."""
    shape = [one.dim_value for one in onnx.load(first).graph.input[0].type.tensor_type.shape.dim]
    given = {"image": np.random.default_rng(0).standard_normal(shape).astype(np.float32)}
    a, b = (device.infer(path, given)[0] for path in (first, second))
    return float(np.abs(a - b).max() / np.abs(a).max())


def row(device: Device, net: str, spelling: str, paths: tuple[Path, Path], store: MeasurementStore) -> dict[str, Any]:
    """One net in one spelling."""
    found: dict[str, Any] = {"device": device.name, "net": net, "spelling": spelling}
    try:
        away = distance(device, *paths)
        if away > _AGREEMENT:
            sys.exit(f"{net}, {spelling}: outputs differ by {away:.3f}")
        candidates = [Candidate("original", paths[0]), Candidate("rewritten", paths[1])]
        original, other = (one.latency_ms for one in measure_together(device, candidates, store))
    except UserError as error:
        return {**found, "refused": str(error)}
    same_graph = graph_of(device, paths[0]) == graph_of(device, paths[1])
    ratio = other / original
    same_time = 1 / SAME_TIME <= ratio <= SAME_TIME
    return {
        **found,
        "original_ms": round(original, 4),
        "times_as_long": round(ratio, 3),
        "same_graph": same_graph,
        "known": same_graph == same_time,
    }


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", nargs="+", default=["cpu", "openvino"])
    parser.add_argument("--nets", nargs="+", default=NETS)
    parser.add_argument("--spellings", nargs="+", default=list(SPELLINGS))
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name, MeasurementStore(Path(name) / "it.sqlite") as store:
        folder = Path(name)
        paths = write_outside_nets(folder)
        for net in options.nets:
            for spelling in options.spellings:
                model = SPELLINGS[spelling](onnx.load(paths[net]))
                if model is None:
                    continue
                other = folder / "other.onnx"
                onnx.save(model, other)
                for device in options.devices:
                    rows.append(row(get_device(device), net, spelling, (paths[net], other), store))
                    print(rows[-1], file=sys.stderr)
    known = [row for row in rows if "known" in row]
    share = 100 * sum(row["known"] for row in known) / len(known)
    goal = {
        "what": "spellings whose latency the operator graph tells, %",
        "goal": "100",
        "value": share,
        "met": share == 100,
    }
    document = {"benchmark": "spellings", "same_time": SAME_TIME, "rows": rows, "goals": [goal]}
    write_result(options.output, document | provenance())


if __name__ == "__main__":
    main()
