"""Mutated files through the commands: every one is answered, or refused in one line, in 30 s and 2 GiB.

``python benchmarks/fuzz.py --graphs 10000 --predicted 10000 --measured 500 --workspaces 2000``. Each case is run in a
forked process, which is replaced after a fault. Writes ``benchmarks/results/fuzz.json``; a fault is listed with its
number, which together with the seed makes it again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from fuzzing.limited_process import BYTES, SECONDS, Outcome, run_cases
from fuzzing.models import GraphTarget, MeasureTarget, PredictTarget
from fuzzing.target import Target
from fuzzing.workspaces import WorkspaceTarget

from provenance import RESULTS, provenance, write_result

RESULT = RESULTS / "fuzz.json"
_GOOD = frozenset({"ok", "refused"})


def fuzz(target: Target, first: int, cases: int) -> dict[str, Any]:
    """Counts by outcome, the slowest and largest case, and every fault."""
    start = time.monotonic()
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="latseg-fuzz-") as name:
        folder = Path(name).resolve()
        target.prepare(folder)
        for outcome in run_cases(target, range(first, first + cases), folder):
            outcomes.append(outcome)
            if outcome.outcome not in _GOOD:
                sys.stderr.write(f"{target.name} {outcome.number}: {outcome.outcome}: {outcome.what}\n{outcome.line}\n")
    return {
        "cases": len(outcomes),
        "outcomes": dict(Counter(each.outcome for each in outcomes)),
        "slowest_seconds": round(max(each.seconds for each in outcomes), 2),
        "largest_megabytes": round(max(each.peak_bytes for each in outcomes) / 2**20),
        "seconds": round(time.monotonic() - start),
        "faults": [
            {"number": each.number, "outcome": each.outcome, "what": each.what, "line": each.line[-600:]}
            for each in outcomes
            if each.outcome not in _GOOD
        ],
    }


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graphs", type=int, default=10_000)
    parser.add_argument("--predicted", type=int, default=10_000)
    parser.add_argument("--measured", type=int, default=500)
    parser.add_argument("--workspaces", type=int, default=2000)
    parser.add_argument(
        "--workspace", type=Path, help="one with a run, its trained winner and its bundle; default: new"
    )
    parser.add_argument("--quick", action="store_true", help="no fit, export and report of damaged workspaces")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--nets", type=int, default=24, help="nets of the campaign from which it is fitted")
    parser.add_argument("--steps", type=int, help="training steps of the predictor; default: those of fit")
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args()
    targets = [
        (GraphTarget(options.seed), options.graphs),
        (PredictTarget(options.seed, nets=options.nets, steps=options.steps), options.predicted),
        (MeasureTarget(options.seed), options.measured),
        (
            WorkspaceTarget(options.seed, workspace=options.workspace, steps=options.steps, quick=options.quick),
            options.workspaces,
        ),
    ]
    found = {target.name: fuzz(target, options.first, cases) for target, cases in targets if cases}
    faults = sum(len(one["faults"]) for one in found.values())
    write_result(
        options.result,
        {
            "seed": options.seed,
            "first": options.first,
            "limits": {"seconds": SECONDS, "bytes": BYTES},
            "targets": found,
            "goals": {"faults": {"value": faults, "goal": 0, "met": faults == 0}},
            "provenance": provenance(),
        },
    )


if __name__ == "__main__":
    main()
