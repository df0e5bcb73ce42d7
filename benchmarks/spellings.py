"""What it costs to write the same net in another way, and whether the operator graph knows it.

Nets of ``outside_nets.py`` in the spellings of ``rewritings.py``. Each is compared with the original: its outputs, its
operator graph, and its latency, both timed in one group. A spelling with the same graph and another latency is one that
a predictor cannot know; one with another graph and the same latency is one that confuses it. Nets that differ in one
size, the number of channels or the batch, have other graphs anyway; of these it is told how much longer a FLOP takes
than in the first net. Writes ``benchmarks/results/spellings.json``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from outside_nets import write_net, write_outside_nets
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
SIZED_NETS = ("mobilenet-v1 at 128", "resnet at 128", "squeezenet at 160", "u-net at 128")
WIDTH = 16
"""Channels are multiples of it, a whole block of a blocked layout, in the first net of each pair."""
OTHER_SIZES: dict[str, dict[str, int]] = {
    "one channel more": {"width": WIDTH + 1},
    "a quarter of a block more": {"width": WIDTH + 4},
    "half a block more": {"width": WIDTH + 8},
    "a block more": {"width": 2 * WIDTH},
    "batch of 2": {"batch": 2},
    "batch of 4": {"batch": 4},
    "batch of 8": {"batch": 8},
}
"""Name to what is given to ``write_net``; later stages of a net have that many channels times a power of two."""
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


def size_row(device: Device, net: str, size: str, folder: Path, store: MeasurementStore) -> dict[str, Any]:
    """One net in another size."""
    first = write_net(net, folder / "first.onnx", width=WIDTH)
    second = write_net(net, folder / "second.onnx", **{"width": WIDTH, **OTHER_SIZES[size]})
    candidates = [Candidate("first", first), Candidate("second", second)]
    one, other = (measured.latency_ms for measured in measure_together(device, candidates, store))
    work = from_onnx(second).flops / from_onnx(first).flops
    return {
        "device": device.name,
        "net": net,
        "size": size,
        "first_ms": round(one, 4),
        "times_as_long": round(other / one, 3),
        "times_the_flops": round(work, 3),
        "a_flop_takes": round(other / one / work, 3),
    }


def size_rows(devices: list[str], sizes: list[str], folder: Path, store: MeasurementStore) -> list[dict[str, Any]]:
    """All nets in all of these sizes."""
    rows = []
    for net in SIZED_NETS if sizes else ():
        for size in sizes:
            for device in devices:
                rows.append(size_row(get_device(device), net, size, folder, store))
                print(rows[-1], file=sys.stderr)
    return rows


def spelling_rows(options: argparse.Namespace, folder: Path, store: MeasurementStore) -> list[dict[str, Any]]:
    """All nets in all of these spellings."""
    rows = []
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
    return rows


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", nargs="+", default=["cpu", "openvino"])
    parser.add_argument("--nets", nargs="+", default=NETS)
    parser.add_argument("--spellings", nargs="*", default=list(SPELLINGS))
    parser.add_argument("--sizes", nargs="*", default=list(OTHER_SIZES))
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, MeasurementStore(Path(name) / "it.sqlite") as store:
        sizes = size_rows(options.devices, options.sizes, Path(name), store)
        rows = spelling_rows(options, Path(name), store)
    known = [row for row in rows if "known" in row]
    share = 100 * sum(row["known"] for row in known) / len(known) if known else None
    goal = {
        "what": "spellings whose latency the operator graph tells, %",
        "goal": "100",
        "value": share,
        "met": share == 100,
    }
    document = {"benchmark": "spellings", "same_time": SAME_TIME, "rows": rows, "sizes": sizes}
    write_result(options.output, document | {"goals": [goal] if known else []} | provenance())


if __name__ == "__main__":
    main()
