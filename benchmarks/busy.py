"""``verify`` beside 0, 1, 2 and 4 busy loops: true verdicts, "too busy to tell", false alarms and false passes.

A network is measured on the quiet machine, again and again for two minutes, and gets two certificates from the middle
measurement: one with a budget that it keeps (the certified upper end), one with a budget 3 % below its latency, which
it must never pass. The budgets take turns. Writes ``benchmarks/results/busy.json``.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

import torch

from devices.device import Candidate, Device
from devices.measurement import FailedMeasurement, Measurement
from devices.protocol import MeasurementProtocol
from devices.registry import get_device
from export.bundle.certificate import Certificate, certify
from export.bundle.check import Check
from export.bundle.decision import decide
from export.to_onnx import export_module
from provenance import RESULTS, provenance, write_result
from search.spaces.portrait.space import PortraitSpace
from segmentation.networks.network import Network

RESULT = RESULTS / "busy.json"
QUIET = 25
"""Measurements on the quiet machine, and seconds between two of them."""
PAUSE_S = 3.0
TOO_LOW = 0.97


def network(folder: Path, seed: int) -> Path:
    """A network of the space of some milliseconds, as an ONNX file."""
    space = PortraitSpace(sizes=[(128, 128)])
    architecture = max(space.sample(8, Random(seed)), key=lambda each: space.lower(each).flops)
    image = torch.zeros(1, 3, *space.input_size(architecture))
    return export_module(Network(space.plan(architecture)), folder / "model.onnx", {"image": image})


def measured(device: Device, path: Path, nominal_ms: float, seed: int) -> Measurement:
    (found,) = device.measure(
        [Candidate("net", path)], nominal_reference_ms=nominal_ms, protocol=MeasurementProtocol(), seed=seed
    )
    assert isinstance(found, Measurement), found
    return found


def verdict(check: Check, *, kept: bool) -> str:
    if check.undecided:
        return "too_busy"
    if check.ok:
        return "true_pass" if kept else "false_pass"
    return "false_alarm" if kept else "true_alarm"


def beside(loops: int, repeats: int, verify: Any) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    with ExitStack() as stack:
        for _ in range(loops):
            process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            stack.callback(process.wait)
            stack.callback(process.kill)
        for repeat in range(repeats):
            counts.update(verify(repeat))
            print(loops, repeat, dict(counts), file=sys.stderr)
    return {"busy_loops": loops, **counts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    device = get_device("cpu")
    with tempfile.TemporaryDirectory() as name:
        path = network(Path(name), options.seed)
        nominal_ms = device.nominal_reference_ms()
        quiet = []
        for seed in range(QUIET):
            quiet.append(measured(device, path, nominal_ms, seed))
            time.sleep(PAUSE_S)
        middle = sorted(quiet, key=lambda each: each.latency_ms)[len(quiet) // 2]
        floor = device.noise_floor(
            Candidate("net", path), nominal_reference_ms=nominal_ms, protocol=MeasurementProtocol()
        ).normalised_percent
        certified = certify(middle, budget_ms=1e6, noise_floor_percent=floor)
        assert isinstance(certified, Certificate)
        limits = {True: certified.upper_ms, False: TOO_LOW * middle.latency_ms}
        budgets = {kept: certified.model_copy(update={"budget_ms": limit}) for kept, limit in limits.items()}

        def verify(repeat: int) -> list[str]:
            def measure(attempt: int) -> Measurement | FailedMeasurement:
                return measured(device, path, nominal_ms, 100 * repeat + attempt + 10)

            checks = {kept: decide("budget", one, measure) for kept, one in budgets.items()}
            print(*checks.values(), sep="\n", file=sys.stderr)
            return [verdict(check, kept=kept) for kept, check in checks.items()]

        rows = [beside(loops, options.repeats, verify) for loops in (0, 1, 2, 4)]
    false = {name: sum(row.get(name, 0) for row in rows) for name in ("false_alarm", "false_pass")}
    document = {
        "benchmark": "busy",
        "latency_ms": [each.latency_ms for each in quiet],
        "spread_percent": 100 * statistics.stdev(each.latency_ms for each in quiet) / middle.latency_ms,
        "noise_floor_percent": floor,
        "budget_shares": {"kept": certified.upper_ms / middle.latency_ms, "not_kept": TOO_LOW},
        "repeats": options.repeats,
        "rows": rows,
        "goals": [{"what": name, "goal": "0", "value": count, "met": count == 0} for name, count in false.items()],
    }
    write_result(options.output, document | provenance())


if __name__ == "__main__":
    main()
