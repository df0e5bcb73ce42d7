"""Whether 100,000 measurements and a run of 100,000 trials stay usable: seconds and memory of what reads them.

The rows are simulated and written through the store classes (without waiting for the disk, which only the writing
needs); nothing in the result is a latency of a device. Each reading has a process of its own. Writes
``benchmarks/results/scale.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from devices.device_info import DeviceInfo
from devices.measurement import Block, Measurement, OperatorTime
from foundation.database import Database
from latency.operators.operator import OperatorGraph
from latency.operators.synthesize import with_tensor_names
from latency.store import MeasurementStore
from latseg.workspace_health import check_workspace
from provenance import RESULTS, provenance, write_result
from search.constraints.budgets import ConstraintCheck
from search.pareto import fronts
from search.spaces.portrait.space import PortraitSpace
from search.trial import DeviceResult, Trial
from search.trials import TrialStore
from search.winners.selection import won

RESULT = RESULTS / "scale.json"
DEVICE = "simulated:noise=0.02"
SPACE = PortraitSpace(sizes=((128, 128),))
BLOCKS = 15
LIMIT_S = 60.0
"""Goal of each reading."""


def measurement(info: DeviceInfo, label: str, graph: OperatorGraph, latency_ms: float) -> Measurement:
    """A simulated one, as large as real ones are."""
    share = latency_ms / len(graph.operators)
    rows = tuple(
        OperatorTime(operator.kind, operator.tensors, (), share, operator.output_shapes[0], own_ms=share)
        for operator in graph.operators
    )
    return Measurement(
        label=label,
        model_sha256="0" * 64,
        device=info,
        latency_ms=latency_ms,
        interval_ms=(0.99 * latency_ms, 1.01 * latency_ms),
        raw_median_ms=latency_ms,
        minimum_ms=latency_ms,
        p90_ms=latency_ms,
        p99_ms=latency_ms,
        first_run_ms=2 * latency_ms,
        load_ms=1.0,
        nominal_reference_ms=1.0,
        converged=True,
        cpu_per_wall=1.0,
        blocks=tuple(Block(5, latency_ms, 1.0) for _ in range(BLOCKS)),
        operators=rows,
        profiler="simulated",
    )


def fill_store(path: Path, info: DeviceInfo, count: int, nets: int) -> None:
    """``count`` measurements of ``nets`` different nets."""
    graphs = [with_tensor_names(SPACE.lower(one)) for one in SPACE.sample(nets, Random(0))]
    with MeasurementStore(path) as store:
        _without_waiting(store)
        store.remember_reference(info, 1.0)
        for number in range(count):
            place = number % len(graphs)
            latency_ms = 1.0 + place / nets + 0.01 * (number // nets)
            one = measurement(info, f"net-{place}", graphs[place], latency_ms)
            store.add_measurement(one, graphs[place], source="campaign")


def fill_trials(path: Path, count: int) -> None:
    """``count`` trials, two rejections for each, and 20 measured winners."""
    rng = Random(1)
    with TrialStore(path) as store:
        _without_waiting(store)
        store.identify({"space": "portrait", "strategy": "evolution"})
        for number, architecture in enumerate(SPACE.sample(count, rng)):
            trial = Trial(
                architecture=architecture,
                generation=number // 32,
                parameters=rng.randrange(10**4, 4 * 10**5),
                flops=10**8,
                predicted_ms={DEVICE: (ms := rng.uniform(0.5, 2))},
                upper_ms={DEVICE: 1.1 * ms},
                quality=rng.random(),
                seconds=1.0,
                created="2026-01-01T00:00:00.000+00:00",
            )
            store.add(trial)
            check = ConstraintCheck(replace(architecture, space=f"rejected {number}"), 1, violated=("parameters",))
            latency = replace(check, violated=(f"latency:{DEVICE}",))
            store.add_rejections(trial.generation, [check, latency], [True, False])
            if number < 20:
                store.add_results(trial, [DeviceResult(DEVICE, ms, (ms, ms), holds=number % 2 == 0, simulated=True)])


def _without_waiting(store: Database) -> None:
    store._connection.execute("PRAGMA synchronous = OFF")


def timed(what: Callable[[], object]) -> dict[str, float]:
    """Seconds and peak memory of a process that does it."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            start = time.perf_counter()
            what()
            os.write(write, json.dumps(time.perf_counter() - start).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        seconds = json.loads(pipe.read())
    usage = os.wait4(child, 0)[2]
    return {"seconds": round(seconds, 2), "peak_mib": round(usage.ru_maxrss / 1024)}


def readings(folder: Path, info: DeviceInfo) -> dict[str, Callable[[], object]]:
    """What commands do with the two files before their own work begins."""
    store, trials = folder / "measurements.sqlite", folder / "runs" / "run" / "trials.sqlite"
    graph = SPACE.lower(SPACE.sample(1, Random(0))[0])

    def opened(kind: type[Database], path: Path) -> None:
        kind(path).close()

    def samples() -> None:
        with MeasurementStore(store) as one:
            assert one.samples(info.fingerprint)

    def known() -> None:
        with MeasurementStore(store) as one:
            assert one.measured_labels(info.fingerprint)
            assert not one.failures(info.fingerprint)

    def latest() -> None:
        with MeasurementStore(store, read_only=True) as one:
            assert one.latest_of(info.fingerprint, graph)

    def all_trials() -> list[Trial]:
        with TrialStore(trials) as one:
            return one.trials()

    def counts() -> None:
        with TrialStore(trials) as one:
            assert one.rejected()
            assert one.repaired()

    def report() -> None:
        import numpy as np

        found = all_trials()
        rows = np.array([(-t.quality, t.upper_ms[DEVICE]) for t in found])
        assert len(fronts(rows, least=1)[0])
        assert won(found)

    return {
        "open the measurement store": lambda: opened(MeasurementStore, store),
        "fit: read the samples": samples,
        "profile: which nets are measured": known,
        "predict: the latest measurement of a net": latest,
        "open the trial store": lambda: opened(TrialStore, trials),
        "search --resume: read the trials": all_trials,
        "search: counts for the progress": counts,
        "report: trials, front and winners": report,
        "search --resume: predict the trials again": lambda: predict_again(all_trials()),
        "doctor: check both files": lambda: _healthy(folder),
    }


def predict_again(trials: list[Trial]) -> None:
    """With the predictor that needs no fit; the share of lowering the nets is that of any other."""
    from search.constraints.budgets import Budgets, LatencyBudget, ParameterBudget
    from search.winners.selection import predicted_again

    budgets = Budgets(ParameterBudget(400_000), (LatencyBudget(DEVICE, 2.0, _Flops()),))
    assert len(predicted_again(trials, SPACE, budgets)) == len(trials)


class _Flops:
    """A bound of one millisecond for 100 million operations."""

    def predict(self, graphs: Any) -> Any:
        from latency.bounded import BoundedPrediction

        times = [graph.flops / 1e8 for graph in graphs]
        return [BoundedPrediction(ms, (ms,), 0.0, (), (), upper_ms=1.1 * ms) for ms in times]


def _healthy(folder: Path) -> None:
    from latseg.workspace_folder import WorkspaceFolder

    damaged = [file for file in check_workspace(WorkspaceFolder(folder)).damaged if file.path.endswith("sqlite")]
    assert not damaged, damaged


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measurements", type=int, default=100_000)
    parser.add_argument("--nets", type=int, default=2_000)
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args()
    info = DeviceInfo(DEVICE, "invented", "simulated", "1", 1, "float32", simulated=True)
    with tempfile.TemporaryDirectory(prefix="latseg-scale-") as name:
        folder = Path(name)
        start = time.perf_counter()
        fill_store(folder / "measurements.sqlite", info, options.measurements, options.nets)
        fill_trials(folder / "runs" / "run" / "trials.sqlite", options.trials)
        sys.stderr.write(f"written in {time.perf_counter() - start:.0f} s\n")
        found = {}
        for what, read in readings(folder, info).items():
            found[what] = timed(read)
            sys.stderr.write(f"{what}: {found[what]}\n")
        sizes = {path.name: path.stat().st_size for path in folder.rglob("*.sqlite")}
    slowest = max(one["seconds"] for one in found.values())
    write_result(
        options.result,
        {
            "simulated": True,
            "measurements": options.measurements,
            "nets": options.nets,
            "trials": options.trials,
            "bytes": sizes,
            "readings": found,
            "peak_mib_before": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            "goals": {"slowest": {"value": slowest, "goal": LIMIT_S, "met": slowest < LIMIT_S}},
            "provenance": provenance(),
        },
    )


if __name__ == "__main__":
    main()
