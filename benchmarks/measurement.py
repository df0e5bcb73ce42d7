"""How repeatable is a latency? Plain median, minimum, five processes and the protocol, idle and beside a busy core.

The same five nets are measured repeatedly (A/A); differences between the repeats are noise. All methods take turns in
one run of this script. Writes ``benchmarks/results/measurement.json``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean, median

import numpy as np

from devices.backends.ort.device import CpuDevice
from devices.device import Candidate
from devices.measurement import Measurement
from devices.protocol import MeasurementProtocol
from devices.statistics import spread_percent
from latseg.testing.graph_builder import GraphBuilder
from provenance import RESULTS, provenance, write_result

METHODS = ("plain median", "minimum", "five processes", "protocol")
CONDITIONS = ("idle", "busy")
PLAIN_SECONDS = 0.25
"""Timing per net and process; five of them together take longer than the protocol does."""
PLAIN_WARM_UP_RUNS = 10
RESULT = RESULTS / "measurement.json"

Estimates = dict[str, dict[str, list[float]]]
"""Milliseconds by method, by net, one for each repeat."""


def build_net(width: int, side: int, depth: int) -> bytes:
    """An encoder of inverted residuals with a bilinear decoder."""
    net = GraphBuilder(seed=width)
    x = net.node("HardSwish", [net.convolution("image", 3, width, kernel=3, stride=2)])
    channels = width
    for stage in range(3):
        wider = width * (stage + 2) // 2
        settings = {"kernel": 3 + 2 * (stage % 2), "activation": "HardSwish", "gate": stage > 0}
        x = net.inverted_residual(x, channels, wider, expanded=3 * channels, stride=2, **settings)
        channels = wider
        for _ in range(depth):
            x = net.inverted_residual(x, channels, channels, expanded=3 * channels, **settings)
    x = net.upsample(net.convolution(x, channels, 2), 16)
    return net.finish(x, (1, 3, side, side), (1, 2, side, side)).SerializeToString()


def write_nets(folder: Path) -> dict[str, Path]:
    """Five nets, roughly 0.3 to 8 ms."""
    nets = {}
    for width, side, depth in ((8, 128, 0), (16, 160, 1), (16, 224, 1), (24, 256, 1), (32, 256, 2)):
        path = folder / f"width{width}-side{side}-depth{depth}.onnx"
        path.write_bytes(build_net(width, side, depth))
        nets[path.stem] = path
    return nets


def plain_process(paths: list[str]) -> dict[str, dict[str, float]]:
    """What a careful user does in one process: warm up, time single runs, take median and minimum."""
    import onnx

    from devices.backends.ort.calls import open_session, session_options
    from devices.model_inputs import model_inputs, random_inputs

    times = {}
    for path in paths:
        session = open_session(path, session_options(1))
        feeds = random_inputs(model_inputs(onnx.load(path), ()))
        for _ in range(PLAIN_WARM_UP_RUNS):
            session.run(None, feeds)
        runs: list[float] = []
        end = time.perf_counter() + PLAIN_SECONDS
        while time.perf_counter() < end:
            start = time.perf_counter_ns()
            session.run(None, feeds)
            runs.append((time.perf_counter_ns() - start) / 1e6)
        times[Path(path).stem] = {"median": median(runs), "minimum": min(runs)}
    return times


def busy_work() -> None:
    """Keeps one core busy with changing work: arithmetic, memory traffic, matrix products."""
    random = np.random.default_rng(0)
    large, square = np.ones(8_000_000, np.float32), np.ones((256, 256), np.float32)
    while True:
        kind, end = random.integers(3), time.monotonic() + random.uniform(0.1, 1.5)
        while time.monotonic() < end:
            if kind == 0:
                sum(range(20_000))
            elif kind == 1:
                np.add(large, 1.0, out=large)
            else:
                np.matmul(square, square)


@contextmanager
def condition(name: str) -> Iterator[None]:
    """A busy process in the background, or none."""
    if name == "idle":
        yield
        return
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, __file__, "--busy-work"], env={**threads, "PATH": ""})
    try:
        yield
    finally:
        process.kill()
        process.wait()


def run_plain(nets: dict[str, Path]) -> dict[str, dict[str, float]]:
    command = [sys.executable, __file__, "--plain", *map(str, nets.values())]
    times: dict[str, dict[str, float]] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return times


def run_protocol(nets: dict[str, Path], nominal_ms: float, seed: int) -> tuple[dict[str, float], float]:
    """Latencies by net, and the share of nets whose interval reached the target width."""
    candidates = [Candidate(name, path) for name, path in nets.items()]
    protocol = MeasurementProtocol(profile_runs=0)
    results = CpuDevice().measure(candidates, nominal_reference_ms=nominal_ms, protocol=protocol, seed=seed)
    measured = [result for result in results if isinstance(result, Measurement)]
    return {result.label: result.latency_ms for result in measured}, mean(result.converged for result in measured)


def repeat_once(nets: dict[str, Path], nominal_ms: float, seed: int, estimates: Estimates, shares: list[float]) -> None:
    processes = [run_plain(nets) for _ in range(5)]
    normalised, converged = run_protocol(nets, nominal_ms, seed)
    shares.append(converged)
    for net in nets:
        found = {
            "plain median": processes[0][net]["median"],
            "minimum": processes[0][net]["minimum"],
            "five processes": median(process[net]["median"] for process in processes),
            "protocol": normalised[net],
        }
        for method, value in found.items():
            estimates[method].setdefault(net, []).append(value)


def measure(nets: dict[str, Path], repeats: int, report: Callable[[str], None]) -> tuple[dict[str, Estimates], object]:
    """Repeats under both conditions in turn, so that slow changes of the machine affect both equally."""
    estimates: dict[str, Estimates] = {name: {method: {} for method in METHODS} for name in CONDITIONS}
    shares: dict[str, list[float]] = {name: [] for name in CONDITIONS}
    nominal_ms = CpuDevice().nominal_reference_ms()
    for repeat in range(repeats):
        for name in CONDITIONS:
            with condition(name):
                repeat_once(nets, nominal_ms, repeat, estimates[name], shares[name])
            report(f"repeat {repeat + 1} of {repeats}, {name}")
    return estimates, {name: mean(values) for name, values in shares.items()}


def figures(estimates: dict[str, Estimates]) -> dict[str, dict[str, object]]:
    """Coefficient of variation over the repeats, in percent: by net, and the mean and the worst over the nets."""
    table: dict[str, dict[str, object]] = {}
    for name, methods in estimates.items():
        table[name] = {}
        for method, nets in methods.items():
            spread = {net: spread_percent(values) for net, values in nets.items()}
            table[name][method] = {
                "mean_percent": mean(spread.values()),
                "worst_percent": max(spread.values()),
                "by_net_percent": spread,
                "mean_ms": {net: mean(values) for net, values in nets.items()},
            }
    return table


def goals(table: dict[str, dict[str, object]]) -> list[dict[str, object]]:
    def value(name: str, method: str) -> float:
        return float(table[name][method]["mean_percent"])  # type: ignore[index]

    gain = value("busy", "plain median") / max(value("busy", "protocol"), 1e-9)
    idle, busy = value("idle", "protocol"), value("busy", "protocol")
    what = "coefficient of variation of the protocol in percent, mean over nets"
    return [
        {"what": f"{what}, idle", "goal": "<= 2", "value": idle, "met": idle <= 2},
        {"what": f"{what}, busy", "goal": "<= 4", "value": busy, "met": busy <= 4},
        {"what": "plain median / protocol, busy", "goal": ">= 5", "value": gain, "met": gain >= 5},
    ]


def report(
    nets: dict[str, Path], repeats: int, seconds: float, estimates: dict[str, Estimates], shares: object
) -> dict[str, object]:
    table = figures(estimates)
    return {
        "benchmark": "measurement",
        "repeats": repeats,
        "nets": list(nets),
        "seconds": round(seconds, 1),
        "figures": table,
        "converged_share": shares,
        "raw_ms": estimates,
        "goals": goals(table),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--output", type=Path, default=RESULT)
    parser.add_argument("--plain", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--busy-work", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.plain:
        print(json.dumps(plain_process(options.plain)))
        return
    if options.busy_work:
        busy_work()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        nets = write_nets(Path(folder))
        estimates, shares = measure(nets, options.repeats, lambda line: print(line, file=sys.stderr))
    result = report(nets, options.repeats, time.monotonic() - start, estimates, shares)
    write_result(options.output, result | provenance())


if __name__ == "__main__":
    main()
