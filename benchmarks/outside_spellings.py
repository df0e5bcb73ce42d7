"""The nets of ``outside_nets.py`` in two other spellings each: whether the bound holds for these too.

Reads the stores of ``predictor_device.py`` (copies of them, so that they stay as they are), fits as ``latseg fit`` does
after ``profile --for``, which saw the first spelling only, and measures the others. Writes
``benchmarks/results/outside_spellings.json``.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from outside_bound import stores_parser
from outside_nets import write_outside_nets
from predictor_device import GROUP, measure
from rewritings import SPELLINGS

from devices.device import Candidate, Device
from devices.registry import get_device
from latency.bounded import BoundedPredictor
from latency.fit import fit_device
from latency.measuring import measure_together
from latency.operators.from_onnx import from_onnx
from latency.operators.operator import OperatorGraph
from latency.store import MeasurementStore
from provenance import RESULTS, provenance, write_result

OTHERS = ("batch normalisation apart", "channels last", "padding apart", "identities and dropout")
"""In this order; each net in the first two that change it."""
COUNT = 2


@dataclass(frozen=True, slots=True)
class Spelled:
    """One net in one spelling, written to a file."""

    net: str
    spelling: str
    path: Path
    original: OperatorGraph


def spelled_nets(folder: Path) -> Iterator[Spelled]:
    """Every net in its other spellings."""
    for net, path in write_outside_nets(folder).items():
        original, graph = onnx.load(path), from_onnx(path)
        pairs = ((name, SPELLINGS[name](original)) for name in OTHERS)
        for name, made in islice(((name, made) for name, made in pairs if made is not None), COUNT):
            target = folder / f"{path.stem}-{name.replace(' ', '-')}.onnx"
            onnx.save(made, target)
            yield Spelled(net, name, target, graph)


def rows_of(device: Device, bounded: BoundedPredictor, store: MeasurementStore, seed: int) -> list[dict[str, Any]]:
    """Measures and predicts all of them."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        nets = list(spelled_nets(Path(folder)))
        for start in range(0, len(nets), GROUP):
            some = nets[start : start + GROUP]
            measured = measure_together(
                device, [Candidate(each.path.stem, each.path) for each in some], store, seed=seed
            )
            graphs = [from_onnx(each.path) for each in some]
            for each, graph, one, predicted in zip(some, graphs, measured, bounded.predict(graphs), strict=True):
                row = {"device": device.name, "net": each.net, "spelling": each.spelling}
                found.append(
                    {
                        **row,
                        "same_graph": graph == each.original,
                        "measured_ms": one.latency_ms,
                        "predicted_ms": predicted.latency_ms,
                        "upper_ms": predicted.upper_ms,
                        "held": one.latency_ms <= predicted.upper_ms,
                    }
                )
            print(f"{device.name}: {len(found)} of {len(nets)}", file=sys.stderr)
    return found


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Of one device."""
    errors = [abs(row["predicted_ms"] / row["measured_ms"] - 1) for row in rows]
    return {
        "nets_and_spellings": len(rows),
        "same_graph_percent": round(float(100 * np.mean([row["same_graph"] for row in rows])), 1),
        "mean_error_percent": round(float(100 * np.mean(errors)), 1),
        "median_error_percent": round(float(100 * np.median(errors)), 1),
        "bound_held_percent": round(float(100 * np.mean([row["held"] for row in rows])), 1),
    }


def main() -> None:
    """Entry point."""
    options = stores_parser(__doc__, RESULTS / "outside_spellings.json").parse_args()
    rows = []
    for name, store, seed in zip(options.devices, options.stores, options.seeds, strict=True):
        device = get_device(name)
        with tempfile.TemporaryDirectory() as folder:
            options.store, options.seed = Path(shutil.copy(store, folder)), seed
            data = measure(device, options)
            bounded = fit_device(data.informed, device.info(), seed=seed).predictor
            with MeasurementStore(options.store) as copied:
                rows += rows_of(device, bounded, copied, seed)
    figures = {name: summary([row for row in rows if row["device"] == name]) for name in options.devices}
    goals = [
        {"what": f"bound held, %, {name}", "goal": ">= 90", "value": held, "met": held >= 90}
        for name, held in ((name, each["bound_held_percent"]) for name, each in figures.items())
    ]
    document = {"benchmark": "outside_spellings", "figures": figures, "rows": rows, "goals": goals}
    write_result(options.output, document | provenance())


if __name__ == "__main__":
    main()
