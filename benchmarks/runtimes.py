"""The same nets on every runtime that is available here: parity, latency, repeatability, operator times.

Random nets of ``portrait`` are written with random weights. Each is measured in several fresh processes, the runtimes
one after the other within each net. Parity is the largest difference from ONNX Runtime's outputs, divided by the
largest output. "Operators" is the sum of the operators' own times as the profiler gives them, over the latency;
"alone" is the sum of the times of the net's operators in models of their own, over the latency. Rows of devices that
are not measured again are kept.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

import numpy as np
import onnx

from devices.counted_blocks import plain_ms
from devices.device import Candidate, Device
from devices.doctor import diagnose
from devices.measurement import FailedMeasurement, Measurement
from devices.protocol import MeasurementProtocol
from devices.registry import get_device
from devices.statistics import spread_percent
from latency.operators.operator import OperatorGraph
from latency.operators.synthesize import single_operator, to_model
from provenance import RESULTS, provenance, write_result
from search.spaces.portrait.space import PortraitSpace

RESULT = RESULTS / "runtimes.json"
PROTOCOL = MeasurementProtocol()
PARITY, SPREAD_PERCENT, SUM_PERCENT = 1e-3, 1.5, 10.0
"""Goals."""


def graphs(count: int, seed: int) -> list[OperatorGraph]:
    """Of random nets of 128 x 128 pixels."""
    space = PortraitSpace(sizes=((128, 128),))
    return [space.lower(net) for net in space.sample(count, Random(seed))]


def saved(graph: OperatorGraph, path: Path) -> Path:
    """As a model with random weights."""
    onnx.save(to_model(graph), path)
    return path


def measured(device: Device, path: Path, nominal_ms: float, protocol: MeasurementProtocol, seed: int) -> Measurement:
    """In a fresh process."""
    (result,) = device.measure(
        [Candidate(path.stem, path)], nominal_reference_ms=nominal_ms, protocol=protocol, seed=seed
    )
    if isinstance(result, FailedMeasurement):
        raise SystemExit(f"{device.name}: {result.label} failed: {result.reason}")
    return result


def parity(device: Device, path: Path) -> float:
    """Largest difference from ONNX Runtime's outputs over the largest output."""
    shape = [each.dim_value for each in onnx.load(path).graph.input[0].type.tensor_type.shape.dim]
    feeds = {"input": np.random.default_rng(0).standard_normal(shape).astype(np.float32)}
    pairs = zip(device.infer(path, feeds), get_device("cpu").infer(path, feeds), strict=True)
    return max(float(np.abs(seen - expected).max() / np.abs(expected).max()) for seen, expected in pairs)


def alone_ms(device: Device, graph: OperatorGraph, nominal_ms: float, folder: Path) -> tuple[float, list[str]]:
    """Sum over the operators of a net, each in a model of its own; kinds that could not be measured."""
    counts = Counter(operator.signature for operator in graph.operators)
    operators = {operator.signature: operator for operator in graph.operators}
    candidates = [
        Candidate(str(place), saved(single_operator(operators[key]), folder / f"{place}.onnx"))
        for place, key in enumerate(counts)
    ]
    protocol = MeasurementProtocol(profile_runs=0)
    results = device.measure(candidates, nominal_reference_ms=nominal_ms, protocol=protocol)
    found = {result.label: result for result in results}
    total, failed = 0.0, []
    for place, (key, count) in enumerate(counts.items()):
        result = found[str(place)]
        if isinstance(result, FailedMeasurement):
            failed.append(f"{operators[key].kind}: {result.reason}")
        else:
            total += count * result.latency_ms
    return total, failed


def row(device: Device, nets: Sequence[OperatorGraph], repeats: int, folder: Path) -> dict[str, Any]:
    """What a runtime comes to."""
    nominal_ms = device.nominal_reference_ms()
    latencies, spreads, plain, sums, differences = [], [], [], [], []
    for number, graph in enumerate(nets):
        path = saved(graph, folder / f"net-{number}.onnx")
        results = [measured(device, path, nominal_ms, PROTOCOL, seed) for seed in range(repeats)]
        latencies.append(fmean(result.latency_ms for result in results))
        spreads.append(spread_percent([result.latency_ms for result in results]))
        plain.append(spread_percent([plain_ms(result.blocks, PROTOCOL.quiet_percent) for result in results]))
        sums.append(sum(each.own_ms or 0.0 for each in results[0].operators) / results[0].latency_ms)
        differences.append(parity(device, path))
    total, failed = alone_ms(device, nets[0], nominal_ms, folder)
    return {
        "device": device.info().to_json(),
        "nominal_reference_ms": nominal_ms,
        "latencies_ms": latencies,
        "largest_relative_difference": max(differences),
        "spread_percent": fmean(spreads),
        "plain_spread_percent": fmean(plain),
        "operators_over_latency": sums,
        "alone_over_latency": total / latencies[0],
        "operators_that_failed_alone": failed,
    }


def goals(rows: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Of every runtime."""
    found = []
    for name, each in rows.items():
        off = max(abs(share - 1) for share in each["operators_over_latency"]) * 100
        for what, goal, value in (
            ("largest relative difference", PARITY, each["largest_relative_difference"]),
            ("spread, %", SPREAD_PERCENT, each["spread_percent"]),
            ("operators' sum, % beside the latency", SUM_PERCENT, off),
        ):
            found.append({"what": f"{name}: {what}", "goal": goal, "value": value, "met": bool(value <= goal)})
    return found


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", nargs="+", help="by default all that are available, but simulated ones")
    parser.add_argument("--nets", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    here = [device.name for device in diagnose().devices if device.available and device.name != "simulated"]
    document = json.loads(options.output.read_text()) if options.output.exists() else {"rows": {}}
    rows: dict[str, dict[str, Any]] = document["rows"]
    nets = graphs(options.nets, options.seed)
    for name in options.devices or here:
        with tempfile.TemporaryDirectory() as folder:
            rows[name] = row(get_device(name), nets, options.repeats, Path(folder)) | provenance()
        write_result(options.output, {"benchmark": "runtimes", "rows": rows, "goals": goals(rows)} | provenance())


if __name__ == "__main__":
    main()
