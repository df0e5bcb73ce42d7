"""Training beside other programs: how long OpenMP's threads spin while they wait for each other.

Steps of the teacher at 128 x 128 with two threads, in processes of their own that take turns, beside 0, 1 and 2 busy
loops. ``latseg`` sets ``GOMP_SPINCOUNT=1000``. Writes ``benchmarks/results/waiting_threads.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from busy_loops import busy_loops

from provenance import RESULTS, provenance, write_result

RESULT = RESULTS / "waiting_threads.json"
POLICIES: dict[str, dict[str, str]] = {
    "no_spinning": {"GOMP_SPINCOUNT": "0"},
    "latseg": {"GOMP_SPINCOUNT": "1000"},
    "default": {},
}
BATCH, SIZE = 8, 128


def one_process(steps: int) -> dict[str, float]:
    """Milliseconds of a training step, on the wall and of the processor."""
    import torch

    from segmentation.networks.network import Network
    from segmentation.networks.teacher import teacher_plan

    torch.manual_seed(0)
    torch.set_num_threads(2)
    network = Network(teacher_plan()).train()
    optimizer = torch.optim.SGD(network.parameters(), 0.01)
    images, masks = torch.randn(BATCH, 3, SIZE, SIZE), torch.randint(0, 2, (BATCH, SIZE, SIZE))

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(images), masks).backward()
        optimizer.step()

    step()
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(steps):
        step()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return {"step_ms": 1000 * wall / steps, "processor_ms": 1000 * processor / steps}


def other_process(policy: str, steps: int) -> dict[str, float]:
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"} | POLICIES[policy]
    command = [sys.executable, __file__, "--inner", "--steps", str(steps)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return dict(json.loads(done.stdout))


def beside(loops: int, repeats: int, steps: int) -> dict[str, Any]:
    """Median over the repeats for each policy, beside so many busy loops."""
    found: dict[str, list[dict[str, float]]] = {policy: [] for policy in POLICIES}
    with busy_loops(loops):
        for _ in range(repeats):
            for policy, rows in found.items():
                rows.append(other_process(policy, steps))
    medians = {
        policy: {key: statistics.median(row[key] for row in rows) for key in rows[0]} for policy, rows in found.items()
    }
    return {"busy_loops": loops, **medians}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--inner", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    if options.inner:
        print(json.dumps(one_process(options.steps)))
        return
    rows = [beside(loops, options.repeats, options.steps) for loops in (0, 1, 2)]
    for row in rows:
        row["default_over_latseg"] = row["default"]["step_ms"] / row["latseg"]["step_ms"]
    goal = {"what": "times slower without the setting, beside two busy loops", "goal": "> 1"}
    value = rows[2]["default_over_latseg"]
    document = {"benchmark": "waiting_threads", "rows": rows, "goals": [goal | {"value": value, "met": value > 1}]}
    write_result(options.output, document | provenance())


if __name__ == "__main__":
    main()
