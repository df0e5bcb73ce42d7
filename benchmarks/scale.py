"""Whether 100,000 measurements and a run of 100,000 trials stay usable: seconds and memory of what reads them.

The workspace (``scale_workspace``) is of the simulated device: nothing in the result is a latency of a device. Each
command is a process of its own, and its seconds contain its start. ``fit`` would train for long, so only what it
reads is timed. Writes ``benchmarks/results/scale.json``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))  # its rows are made as in tests/

from scale_workspace import DEVICE, GENERATION, PROFILE, LargeWorkspace

from provenance import RESULTS, provenance, write_result

RESULT = RESULTS / "scale.json"
LIMIT_S = 60.0
"""Goal of each reading."""
SAMPLES = "assert MeasurementStore(Path(sys.argv[1])).samples(sys.argv[2])"
LABELS = "assert MeasurementStore(Path(sys.argv[1])).measured_labels(sys.argv[2])"
RUNS = "assert latseg.Workspace(sys.argv[1]).runs"
WINNERS = "assert latseg.Workspace(sys.argv[1]).run(sys.argv[2]).winners"
TIMER = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
seconds = time.perf_counter() - start
used = resource.getrusage(resource.RUSAGE_CHILDREN)
cpu_seconds = used.ru_utime + used.ru_stime
found = {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mib": used.ru_maxrss / 1024}
print(json.dumps({name: round(value, 1) for name, value in found.items()}))
"""
"""In a small process: the memory of a new one is at first that of its parent."""
IMPORTS = "import sys; import latseg; from pathlib import Path; from latency.store import MeasurementStore; "


def timed(command: list[str]) -> dict[str, float]:
    """Seconds, those of the processor and peak memory of a command, which must succeed."""
    started = subprocess.run([sys.executable, "-S", "-c", TIMER, *command], capture_output=True, text=True, check=False)
    assert started.returncode == 0, started.stderr
    found: dict[str, float] = json.loads(started.stdout)
    return found


def readings(workspace: LargeWorkspace, trials: int) -> Iterator[tuple[str, list[str]]]:
    """Names and command lines. The workspace is changed between some of them."""
    run, root, info = workspace.run.path.name, str(workspace.root), workspace.info
    python = [sys.executable, "-c"]
    yield "predict MODEL, one that was measured", workspace.command("predict", str(workspace.model), "-d", DEVICE)
    yield "profile, all measured before", workspace.command(*PROFILE)
    yield "fit: what it reads", [*python, IMPORTS + SAMPLES, str(workspace.store), info.fingerprint]
    yield "labels of the measured nets", [*python, IMPORTS + LABELS, str(workspace.store), info.fingerprint]
    yield "Workspace.runs", [*python, IMPORTS + RUNS, root]
    yield "RunHandle.winners", [*python, IMPORTS + WINNERS, root, run]
    yield "report RUN", workspace.command("report", run)
    yield "doctor WORKSPACE", [sys.executable, "-m", "latseg", "doctor", root]
    yield "search --resume RUN, complete", workspace.command("search", "--resume", run)
    workspace.set_trials(trials + GENERATION)
    yield f"search --resume RUN, {GENERATION} trials more", workspace.command("search", "--resume", run)
    workspace.fit_again()
    yield "search --resume RUN, complete, after another fit", workspace.command("search", "--resume", run)
    yield "the same once more", workspace.command("search", "--resume", run)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measurements", type=int, default=100_000)
    parser.add_argument("--nets", type=int, default=2_000)
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--result", type=Path, default=RESULT)
    parser.add_argument("--keep", type=Path, help="folder for the workspace; by default a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="latseg-scale-") as name:
        workspace = LargeWorkspace(options.keep or Path(name))
        start = time.perf_counter()
        if not workspace.store.exists():
            workspace.begin()
        workspace.fill_measurements(options.measurements, options.nets)
        workspace.fill_trials(options.trials)
        sys.stderr.write(f"written in {time.perf_counter() - start:.0f} s\n")
        found = {}
        for what, command in readings(workspace, options.trials):
            found[what] = timed(command)
            sys.stderr.write(f"{what}: {found[what]}\n")
        files = (workspace.store, workspace.run.trials, workspace.run.report)
        sizes = {path.name: path.stat().st_size for path in files}
    slowest = max(one["seconds"] for one in found.values())
    document: dict[str, Any] = {
        "simulated": True,
        "measurements": options.measurements,
        "nets": options.nets,
        "trials": options.trials,
        "bytes": sizes,
        "readings": found,
        "goals": {"slowest": {"value": slowest, "goal": LIMIT_S, "met": slowest < LIMIT_S}},
        "provenance": provenance(),
    }
    write_result(options.result, document)


if __name__ == "__main__":
    main()
